package broker_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/chatlane/chatlane/internal/broker"
)

// serve runs a nats-server with these options on a port of its own.
func serve(t *testing.T, opts *server.Options) string {
	t.Helper()
	opts.Host, opts.Port, opts.NoSigs, opts.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	s, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("nats-server is not ready")
	}
	return s.ClientURL()
}

// connects tells whether a client with these settings gets in.
func connects(t *testing.T, s broker.Settings) error {
	t.Helper()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := broker.Connect(t.Context(), s.Config("test"))
	if err != nil {
		return err
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	return c.Ready(t.Context())
}

func TestLoginByUserTokenAndNKey(t *testing.T) {
	t.Parallel()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, _ := pair.PublicKey()
	seed, _ := pair.Seed()
	for _, tt := range []struct {
		name  string
		opts  server.Options
		right broker.Settings
		wrong broker.Settings
	}{
		{"user", server.Options{Username: "lane", Password: "pass"}, broker.Settings{User: "lane", Password: "pass"}, broker.Settings{User: "lane", Password: "no"}},
		{"token", server.Options{Authorization: "token"}, broker.Settings{Token: "token"}, broker.Settings{Token: "no"}},
		{"nkey", server.Options{Nkeys: []*server.NkeyUser{{Nkey: public}}}, broker.Settings{NKey: string(seed)}, broker.Settings{User: "lane", Password: "no"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, &tt.opts)
			tt.right.URL, tt.wrong.URL = url, url
			if err := connects(t, tt.right); err != nil {
				t.Errorf("with the right secret: %v", err)
			}
			for name, s := range map[string]broker.Settings{"a wrong secret": tt.wrong, "none": {URL: url}} {
				if err := connects(t, s); err == nil || strings.Contains(err.Error(), "pass") {
					t.Errorf("with %s: %v, want a refusal that quotes no secret", name, err)
				}
			}
		})
	}
}

func TestLoginByCredentialsFile(t *testing.T) {
	t.Parallel()
	must := func(v []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	key := func(create func() (nkeys.KeyPair, error)) (pair nkeys.KeyPair, public string) {
		t.Helper()
		pair, err := create()
		if err != nil {
			t.Fatal(err)
		}
		public, err = pair.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		return pair, public
	}
	encode := func(claims jwt.Claims, by nkeys.KeyPair) string {
		t.Helper()
		text, err := claims.Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	operator, operatorID := key(nkeys.CreateOperator)
	account, accountID := key(nkeys.CreateAccount)
	user, userID := key(nkeys.CreateUser)
	resolver := new(server.MemAccResolver)
	if err := resolver.Store(accountID, encode(jwt.NewAccountClaims(accountID), operator)); err != nil {
		t.Fatal(err)
	}
	url := serve(t, &server.Options{TrustedKeys: []string{operatorID}, AccountResolver: resolver})
	creds := filepath.Join(t.TempDir(), "lane.creds")
	userJWT := encode(jwt.NewUserClaims(userID), account)
	if err := os.WriteFile(creds, must(jwt.FormatUserConfig(userJWT, must(user.Seed()))), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := connects(t, broker.Settings{URL: url, Creds: creds}); err != nil {
		t.Errorf("with the credentials file: %v", err)
	}
	if err := connects(t, broker.Settings{URL: url}); err == nil {
		t.Error("the server let a client in without credentials: the test tests nothing")
	}
	if err := connects(t, broker.Settings{URL: url, Creds: creds + ".gone"}); err == nil || !strings.Contains(err.Error(), "CHATLANE_NATS_CREDS") {
		t.Errorf("a file that is not there: %v, want the setting's name", err)
	}
}

// certificate makes a key and a certificate for 127.0.0.1, signed by parent, as PEM files.
func certificate(t *testing.T, dir, name string, parent *tls.Certificate) (files [2]string, made tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	issuer, signer := template, any(key)
	if parent == nil {
		template.IsCA, template.KeyUsage = true, x509.KeyUsageCertSign
	} else {
		issuer, signer = parent.Leaf, parent.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for i, block := range []*pem.Block{{Type: "CERTIFICATE", Bytes: der}, {Type: "PRIVATE KEY", Bytes: keyDER}} {
		files[i] = filepath.Join(dir, name+[]string{".crt", ".key"}[i])
		if err := os.WriteFile(files[i], pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if made, err = tls.LoadX509KeyPair(files[0], files[1]); err != nil {
		t.Fatal(err)
	}
	return files, made
}

func TestTLSWithAnOwnCAAndAClientCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, authority := certificate(t, dir, "ca", nil)
	_, srv := certificate(t, dir, "server", &authority)
	client, _ := certificate(t, dir, "client", &authority)
	pool := x509.NewCertPool()
	pool.AddCert(authority.Leaf)
	url := serve(t, &server.Options{TLS: true, TLSVerify: true, TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{srv}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}})
	url = strings.Replace(url, "nats://", "tls://", 1)
	if err := connects(t, broker.Settings{URL: url, CAFile: ca[0], CertFile: client[0], KeyFile: client[1]}); err != nil {
		t.Errorf("with the CA and a client certificate: %v", err)
	}
	if err := connects(t, broker.Settings{URL: url, CertFile: client[0], KeyFile: client[1]}); err == nil {
		t.Error("connects to a server that the system's CAs do not know")
	}
	if err := connects(t, broker.Settings{URL: url, CAFile: ca[0]}); err == nil {
		t.Error("the server takes a client without a certificate: the test tests nothing")
	}
}

func TestLoginSettingsThatContradictAreNamed(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]broker.Settings{
		"CHATLANE_NATS_CREDS":     {Creds: "a", Token: "b"},
		"CHATLANE_NATS_PASSWORD":  {Password: "a"},
		"CHATLANE_NATS_CERT_FILE": {CertFile: "a"},
	} {
		if err := s.Validate(); err == nil || !strings.HasPrefix(err.Error(), name+":") {
			t.Errorf("%v, want %s named", err, name)
		}
	}
}

func TestNATSContextIsRead(t *testing.T) {
	t.Parallel()
	dir := broker.ContextDir(t.TempDir(), "")
	if err := os.MkdirAll(filepath.Join(dir, "context"), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, err := broker.ReadContext(dir, ""); !errors.Is(err, broker.ErrNoContext) {
		t.Errorf("none is selected: %v, want ErrNoContext", err)
	}
	seed := write("lane.nk", "SUSEED\n")
	write("context/prod.json", `{"description":"","url":"tls://a:4222","creds":"/c","ca":"/ca","cert":"/crt","key":"/key","nkey":"`+seed+`","user":"u","password":"p","token":"t"}`)
	write("context.txt", "prod\n")
	want := broker.Settings{URL: "tls://a:4222", Creds: "/c", NKey: "SUSEED", User: "u", Password: "p", Token: "t", CAFile: "/ca", CertFile: "/crt", KeyFile: "/key"}
	for _, name := range []string{"", "prod"} {
		if got, err := broker.ReadContext(dir, name); err != nil || got != want {
			t.Errorf("context %q: %+v, %v; want %+v", name, got, err, want)
		}
	}
	if _, err := broker.ReadContext(dir, "other"); !errors.Is(err, broker.ErrNoContext) {
		t.Errorf("another name: %v, want ErrNoContext", err)
	}
}
