package ingress_test

import (
	"net/http"
	"testing"
)

func TestRequestsComeFromAllowedNetworks(t *testing.T) {
	forwarded := func(values ...string) edit {
		return func(r *http.Request) { r.Header["X-Forwarded-For"] = values }
	}
	for _, c := range []struct {
		name    string
		allowed []string
		edits   []edit
		code    int
	}{
		{"no rule", nil, []edit{from("203.0.113.9:1")}, 200},
		{"telegram", []string{"telegram"}, []edit{from("149.154.167.220:443")}, 200},
		{"telegram's other range", []string{"telegram"}, []edit{from("91.108.7.255:1")}, 200},
		{"beyond telegram", []string{"telegram"}, []edit{from("91.108.8.0:1")}, 403},
		{"single address", []string{"203.0.113.9"}, []edit{from("203.0.113.9:1")}, 200},
		{"IPv4 in IPv6", []string{"203.0.113.0/24"}, []edit{from("[::ffff:203.0.113.9]:1")}, 200},
		{"rule of IPv4 in IPv6", []string{"::ffff:203.0.113.0/120"}, []edit{from("203.0.113.9:1")}, 200},
		{"IPv6", []string{"2001:db8::/32"}, []edit{from("[2001:db8:1::2]:1")}, 200},
		{"IPv6 with zone", []string{"fe80::/10"}, []edit{from("[fe80::1%eth0]:1")}, 200},
		{"no address", []string{"0.0.0.0/0", "::/0"}, []edit{from("@")}, 403},

		{"header of a stranger", []string{"telegram"}, []edit{from("203.0.113.9:1"), forwarded("149.154.167.220")}, 403},
		{"header of a proxy", []string{"telegram"}, []edit{from("10.0.0.1:1"), forwarded("149.154.167.220")}, 200},
		{"chain of proxies", []string{"telegram"}, []edit{from("10.0.0.1:1"), forwarded("149.154.167.220, 10.1.1.1", "10.2.2.2:80")}, 200},
		{"made up in front", []string{"telegram"}, []edit{from("10.0.0.1:1"), forwarded("149.154.167.220, 203.0.113.9")}, 403},
		{"made up, two headers", []string{"telegram"}, []edit{from("10.0.0.1:1"), forwarded("149.154.167.220", "203.0.113.9")}, 403},
		{"unreadable hop", []string{"telegram"}, []edit{from("10.0.0.1:1"), forwarded("149.154.167.220, unknown")}, 403},
		{"IPv6 proxy", []string{"telegram"}, []edit{from("[fd00::1]:1"), forwarded("[::ffff:149.154.167.220]:99")}, 200},
		{"proxy without header", []string{"telegram"}, []edit{from("10.0.0.1:1")}, 403},
		{"proxy itself allowed", []string{"10.0.0.1"}, []edit{from("10.0.0.1:1"), forwarded("")}, 200},
	} {
		cfg := settings()
		cfg.AllowedIPs, cfg.TrustedProxies = c.allowed, []string{"10.0.0.0/8", "fd00::/8"}
		h, _ := webhook(t, cfg, &store{}, nil)
		if w := post(h, request(body, c.edits...)); w.Code != c.code {
			t.Errorf("%s: %d, want %d", c.name, w.Code, c.code)
		}
	}
}
