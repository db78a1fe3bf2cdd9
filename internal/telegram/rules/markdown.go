package rules

import (
	"fmt"
	"strings"
)

func (p *parser) markdown2() error {
	for p.at < len(p.in) {
		if err := p.sign(); err != nil {
			return err
		}
	}
	if len(p.open) > 0 {
		m := p.open[len(p.open)-1]
		return fmt.Errorf("can't find end of %s entity at byte offset %d", entityName(m.name), m.seen)
	}
	return nil
}

func (p *parser) sign() error {
	c, rest := p.in[p.at], p.rest()
	inside := p.inside()
	code := inside == "`" || inside == "```"
	switch {
	case c == '\\' && len(rest) > 1 && rest[1] < 0x7f:
		p.at++
		p.take(1)
	case code && !strings.HasPrefix(rest, inside):
		p.take(1)
	case inside != "" && p.ends(inside):
		return p.close(inside)
	case c == '\n':
		p.quote = p.quote && strings.HasPrefix(rest, "\n>")
		p.take(1)
	case p.atLine() && strings.HasPrefix(rest, "**>"):
		p.quote, p.at = true, p.at+len("**>")
	case p.atLine() && c == '>':
		p.quote, p.at = true, p.at+1
	case p.quote && strings.HasPrefix(rest, "||") && (len(rest) == 2 || rest[2] == '\n'):
		p.at += 2 // the end of a quotation that can be expanded
	case !strings.ContainsRune("_*[]()~`>#+-=|{}.!", rune(c)):
		p.take(1)
	default:
		return p.starts()
	}
	return nil
}

func (p *parser) atLine() bool {
	return p.at == 0 || p.in[p.at-1] == '\n'
}

func (p *parser) ends(sign string) bool {
	rest := p.rest()
	if sign == "_" && strings.HasPrefix(rest, "__") {
		return false
	}
	return strings.HasPrefix(rest, sign)
}

func (p *parser) close(sign string) error {
	p.at += len(sign)
	if sign == "]" {
		if err := p.link(); err != nil {
			return err
		}
	}
	p.end()
	return nil
}

func (p *parser) link() error {
	if !strings.HasPrefix(p.rest(), "(") {
		return nil
	}
	start := p.at
	for i := p.at + 1; i < len(p.in); i++ {
		switch p.in[i] {
		case '\\':
			i++
		case ')':
			p.open[len(p.open)-1].arg = p.in[start+1 : i]
			p.at = i + 1
			return nil
		}
	}
	return fmt.Errorf("can't find end of a URL at byte offset %d", start)
}

func (p *parser) starts() error {
	rest := p.rest()
	for _, s := range [...]struct{ sign, end string }{
		{"```", "```"}, {"`", "`"}, {"__", "__"}, {"_", "_"}, {"*", "*"}, {"~", "~"}, {"||", "||"}, {"![", "]"}, {"[", "]"},
	} {
		if !strings.HasPrefix(rest, s.sign) {
			continue
		}
		p.begin(s.end, "")
		p.at += len(s.sign)
		return nil
	}
	return fmt.Errorf("character '%c' is reserved and must be escaped with the preceding '\\'", rest[0])
}

func entityName(sign string) string {
	switch sign {
	case "*":
		return "Bold"
	case "_":
		return "Italic"
	case "__":
		return "Underline"
	case "~":
		return "Strikethrough"
	case "||":
		return "Spoiler"
	case "`":
		return "Code"
	case "```":
		return "Pre"
	}
	return "TextUrl"
}

func (p *parser) markdown() error {
	for p.at < len(p.in) {
		c, rest := p.in[p.at], p.rest()
		switch {
		case c == '\\' && len(rest) > 1 && strings.IndexByte("_*`[", rest[1]) >= 0:
			p.at++
			p.take(1)
		case strings.IndexByte("_*`[", c) < 0:
			p.take(1)
		default:
			if err := p.span(c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *parser) span(c byte) error {
	start, sign := p.at, string(c)
	switch {
	case strings.HasPrefix(p.rest(), "```"):
		sign = "```"
	case c == '[':
		sign = "]"
	}
	p.begin(sign, "")
	p.at += max(len(sign), 1)
	n := strings.Index(p.rest(), sign)
	if n < 0 {
		return fmt.Errorf("can't find end of the entity starting at byte offset %d", start)
	}
	p.take(n)
	return p.close(sign)
}
