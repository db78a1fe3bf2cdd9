package redisstore_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chatlane/chatlane/internal/fsm"
	"github.com/chatlane/chatlane/internal/fsm/redisstore"
	"github.com/chatlane/chatlane/internal/fsm/redisstore/redistest"
	"github.com/chatlane/chatlane/internal/testport"
)

// store connects as the settings say.
func store(t *testing.T, s redisstore.Settings) *redisstore.Store {
	t.Helper()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	c, err := s.Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return redisstore.New(c, redisstore.Config{})
}

// turn does a whole turn: every command that a worker sends.
func turn(t *testing.T, s *redisstore.Store, seq uint64) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	k := fsm.Keys{Lane: "42:c:5", Home: "42:c:5", State: "42:c:5:u:7", StateHome: "42:c:5"}
	session, err := s.Open(ctx, k, fsm.Position{Stream: 1, Seq: seq, Update: int64(seq)})
	if err != nil {
		return err
	}
	session.SetState("asked")
	return errors.Join(session.Record(ctx, 0, []byte("{}")), session.Commit(ctx), session.Close(ctx), s.Ping(ctx))
}

func TestTLSIsSpokenWithCertificatesOfBothSides(t *testing.T) {
	files, other := redistest.Certificates(t), redistest.Certificates(t)
	port := strconv.Itoa(testport.Free(t))
	redistest.Start(t, "--tls-port", port, "--tls-cert-file", files.Cert, "--tls-key-file", files.Key,
		"--tls-ca-cert-file", files.CA, "--tls-auth-clients", "yes")
	url := "rediss://" + net.JoinHostPort("127.0.0.1", port) + "/0"
	if err := turn(t, store(t, redisstore.Settings{URL: url, CAFile: files.CA, CertFile: files.Cert, KeyFile: files.Key}), 1); err != nil {
		t.Errorf("with the right certificates: %v", err)
	}
	for name, s := range map[string]redisstore.Settings{
		"another authority":      {URL: url, CAFile: other.CA, CertFile: files.Cert, KeyFile: files.Key},
		"another's certificate":  {URL: url, CAFile: files.CA, CertFile: other.Cert, KeyFile: other.Key},
		"no certificate":         {URL: url, CAFile: files.CA},
		"the system's authority": {URL: url, CertFile: files.Cert, KeyFile: files.Key},
	} {
		if err := turn(t, store(t, s), 2); !errors.Is(err, fsm.ErrUnavailable) {
			t.Errorf("%s: %v, want a failure to connect", name, err)
		}
	}
}

// The rights are those that docs/operations.md gives.
func TestAnACLUserWithTheRightsOfTheDocsDoesWholeTurns(t *testing.T) {
	server := redistest.Start(t)
	for _, c := range []string{
		"ACL SETUSER chatlane on >s3cret ~chatlane:* ~rate:chatlane:* resetchannels -@all +@read +@write +@scripting +@connection -@dangerous +wait +time +info +config|get +cluster|slots +cluster|shards +cluster|info",
		"ACL SETUSER default off",
	} {
		if answer, err := redistest.Do(t.Context(), server.Addr, c); err != nil || strings.HasPrefix(answer, "-") {
			t.Fatalf("%s: %s %v", c, answer, err)
		}
	}
	s := store(t, redisstore.Settings{URL: server.URL, User: "chatlane", Password: "s3cret"})
	if err := turn(t, s, 1); err != nil {
		t.Error(err)
	}
	if found, err := s.Preflight(t.Context()); err != nil || len(found) != 0 {
		t.Errorf("preflight: %v, %v", found, err)
	}
	client, err := redisstore.Settings{URL: server.URL, User: "chatlane", Password: "s3cret"}.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	for _, c := range []string{"FLUSHALL", "KEYS *", "CONFIG SET maxmemory 1", "CLIENT PAUSE 1", "CLUSTER RESET", "GET other", "ACL LIST"} {
		var args []any
		for word := range strings.FieldsSeq(c) {
			args = append(args, word)
		}
		if err := client.Do(t.Context(), args...).Err(); err == nil || !strings.Contains(err.Error(), "NOPERM") {
			t.Errorf("%s: %v, want NOPERM", c, err)
		}
	}
	inURL := "redis://chatlane:s3cret@" + server.Addr + "/0"
	if err := turn(t, store(t, redisstore.Settings{URL: inURL}), 2); err != nil {
		t.Errorf("user in the URL: %v", err)
	}
	if err := turn(t, store(t, redisstore.Settings{URL: inURL, Password: "wr0ng"}), 3); err == nil || strings.Contains(err.Error(), "wr0ng") || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("wrong password: %v", err)
	}
}

func TestSentinelLeadsToTheNewMaster(t *testing.T) {
	master := redistest.Start(t)
	host, port, _ := net.SplitHostPort(master.Addr)
	replica := redistest.Start(t, "--replicaof", host+" "+port)
	sentinel := redistest.StartSentinel(t, master)
	redistest.WaitForReplica(t, sentinel)
	for _, c := range []string{"ACL SETUSER watcher on >s3cret allchannels +@all", "ACL SETUSER default off"} {
		if answer, err := redistest.Do(t.Context(), sentinel.Addr, c); err != nil || strings.HasPrefix(answer, "-") {
			t.Fatalf("%s: %s %v", c, answer, err)
		}
	}
	s := store(t, redisstore.Settings{
		URL:          "redis+sentinel://" + sentinel.Addr + "/0?master_name=mymaster",
		SentinelUser: "watcher", SentinelPassword: "s3cret",
	})
	if err := turn(t, s, 1); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Preflight(t.Context()); err != nil || len(found) == 0 || found[0].Server != "redis master" {
		t.Errorf("preflight: %v, %v", found, err)
	}
	master.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		err := turn(t, s, 2)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("no turn after the master's death: %v", err)
		}
	}
	if role, err := redistest.Do(t.Context(), replica.Addr, "INFO replication"); err != nil || !strings.Contains(role, "role:master") {
		t.Errorf("the replica is no master: %s %v", role, err)
	}
}

// What is wrong is named with what would be right, and nothing of the value is shown.
func TestSettingsSayWhatIsWrongAndShowNoSecret(t *testing.T) {
	files := redistest.Certificates(t)
	for _, tt := range []struct {
		name string
		s    redisstore.Settings
		want string
	}{
		{"no scheme", redisstore.Settings{URL: "s3cret@host:6379"}, "CHATLANE_REDIS_URL: it"},
		{"another scheme", redisstore.Settings{URL: "http://:s3cret@host:6379"}, "CHATLANE_REDIS_URL: its scheme is not known; set redis://"},
		{"another kind", redisstore.Settings{URL: "redis+s3cret://host:6379"}, "its scheme is not known"},
		{"no host", redisstore.Settings{URL: "redis://:s3cret@/0"}, "it names no host; set one such as redis://host:6379/0"},
		{"database", redisstore.Settings{URL: "redis://:s3cret@host:6379/s3cret"}, "set a database number such as /0"},
		{"password with a ?", redisstore.Settings{URL: "redis://:pa?s3cret@host:6379/0"}, "write special characters of a password as %XX, or set it as CHATLANE_REDIS_PASSWORD"},
		{"password with a %", redisstore.Settings{URL: "redis://:s3cret%zz@host:6379/0"}, "%XX"},
		{"password with a /", redisstore.Settings{URL: "redis://:12/s3cret@host:6379/0"}, "%XX"},
		{"port", redisstore.Settings{URL: "redis://host:s3cret/0"}, "it is no URL"},
		{"sentinel without a master", redisstore.Settings{URL: "redis+sentinel://:s3cret@host:26379/0"}, "it names no master; set its name"},
		{"certificates without TLS", redisstore.Settings{URL: "redis://host:6379/0", CAFile: files.CA}, "CHATLANE_REDIS_URL: set rediss://"},
		{"certificates without a URL", redisstore.Settings{CAFile: files.CA}, "CHATLANE_REDIS_URL: set rediss://"},
		{"no such file", redisstore.Settings{URL: "rediss://host:6379/0", CAFile: "nowhere.pem"}, "CHATLANE_REDIS_CA_FILE: set a file that can be read"},
		{"no certificate in it", redisstore.Settings{URL: "rediss://host:6379/0", CAFile: files.Key}, "CHATLANE_REDIS_CA_FILE: set a PEM file with a certificate"},
		{"certificate without key", redisstore.Settings{URL: "rediss://host:6379/0", CertFile: files.Cert}, "set CHATLANE_REDIS_KEY_FILE with it"},
		{"key of another", redisstore.Settings{URL: "rediss://host:6379/0", CertFile: files.CA, KeyFile: files.Key}, "CHATLANE_REDIS_CERT_FILE: set PEM files"},
	} {
		err := tt.s.Validate()
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	for _, url := range []string{
		"", "redis://host", "rediss://u:p@host:6380/3?pool_size=5", "redis+cluster://a:1?addr=b:2", "rediss+cluster://a:1",
		"redis+sentinel://:p@a:26379/0?master_name=m&addr=b:26379", "rediss+sentinel://a:26379?master_name=m",
	} {
		if err := (redisstore.Settings{URL: url}).Validate(); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}
