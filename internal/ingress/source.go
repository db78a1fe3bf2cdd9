package ingress

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

type networks []netip.Prefix

// telegramNetworks are the documented source addresses of Telegram's webhook requests.
func telegramNetworks() []string { return []string{"149.154.160.0/20", "91.108.4.0/22"} }

func parseNetworks(list []string) (networks, error) {
	var out networks
	for _, item := range list {
		if strings.EqualFold(item, "telegram") {
			for _, cidr := range telegramNetworks() {
				out = append(out, netip.MustParsePrefix(cidr))
			}
			continue
		}
		prefix, err := netip.ParsePrefix(item)
		if addr, addrErr := netip.ParseAddr(item); addrErr == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%q is no address range; set one like 10.0.0.0/8, 2001:db8::/32 or telegram", item)
		}
		if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
		}
		out = append(out, prefix.Masked())
	}
	return out, nil
}

func (n networks) contain(addr netip.Addr) bool {
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(addr) })
}

type sources struct {
	allowed networks // empty: any address
	proxies networks // their X-Forwarded-For headers are trusted
}

func (s sources) allow(r *http.Request) bool {
	return len(s.allowed) == 0 || s.allowed.contain(s.of(r))
}

// of is the peer's address, or behind a trusted proxy the nearest untrusted address in X-Forwarded-For. An
// unreadable address gives the zero address, which no range contains.
func (s sources) of(r *http.Request) netip.Addr {
	addr := parseHost(r.RemoteAddr)
	if !s.proxies.contain(addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		if hop = strings.TrimSpace(hop); hop == "" {
			continue
		}
		if addr = parseHost(hop); !s.proxies.contain(addr) {
			break
		}
	}
	return addr
}

func parseHost(host string) netip.Addr {
	if at, err := netip.ParseAddrPort(host); err == nil {
		return at.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}
