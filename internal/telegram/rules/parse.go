package rules

import (
	"fmt"
	"html"
	"strings"
)

// Formatted is a text without its marks. Texts with equal fields look the same.
type Formatted struct {
	Text  string
	Marks string // what is marked how, to compare
}

// Parse removes a parse mode's marks from a text. Wrong marks give a *Refusal.
func Parse(text, mode string) (Formatted, error) {
	p := parser{in: text}
	var err error
	switch strings.ToLower(mode) {
	case "":
		return Formatted{Text: text}, nil
	case "html":
		err = p.html()
	case "markdownv2":
		err = p.markdown2()
	case "markdown":
		err = p.markdown()
	default:
		return Formatted{}, badRequest("unsupported parse_mode")
	}
	if err != nil {
		return Formatted{}, badRequest("can't parse entities: %v", err)
	}
	return Formatted{Text: p.out.String(), Marks: p.marks.String()}, nil
}

type parser struct {
	in    string
	at    int // bytes read
	out   strings.Builder
	marks strings.Builder
	open  []mark
	quote bool // MarkdownV2: in a block quotation
}

type mark struct {
	name       string // of the tag, or the sign that ends it
	arg        string
	from, seen int // in the output, and in the input
}

func (p *parser) begin(name, arg string) {
	p.open = append(p.open, mark{name, arg, p.out.Len(), p.at})
}

func (p *parser) end() {
	m := p.open[len(p.open)-1]
	p.open = p.open[:len(p.open)-1]
	if p.out.Len() > m.from {
		_, _ = fmt.Fprintf(&p.marks, "%s %q %d-%d;", m.name, m.arg, m.from, p.out.Len())
	}
}

func (p *parser) inside() string {
	if len(p.open) == 0 {
		return ""
	}
	return p.open[len(p.open)-1].name
}

func (p *parser) rest() string { return p.in[p.at:] }

func (p *parser) take(n int) {
	p.out.WriteString(p.in[p.at : p.at+n])
	p.at += n
}

func (p *parser) html() error {
	for p.at < len(p.in) {
		switch c := p.in[p.at]; {
		case c == '&':
			p.entity()
		case c != '<':
			p.take(1)
		default:
			if err := p.tag(); err != nil {
				return err
			}
		}
	}
	if name := p.inside(); name != "" {
		return fmt.Errorf("can't find end tag corresponding to start tag %q", name)
	}
	return nil
}

// entity reads &lt;, &gt;, &amp;, &quot; and numbers; any other & stands for itself.
func (p *parser) entity() {
	end := strings.IndexByte(p.rest(), ';')
	if end < 0 || end > 10 {
		p.take(1)
		return
	}
	name := p.rest()[1:end]
	if name != "lt" && name != "gt" && name != "amp" && name != "quot" && !strings.HasPrefix(name, "#") {
		p.take(1)
		return
	}
	p.out.WriteString(html.UnescapeString(p.rest()[:end+1]))
	p.at += end + 1
}

func (p *parser) tag() error {
	start := p.at
	end := strings.IndexByte(p.rest(), '>')
	if end < 0 {
		return fmt.Errorf("unclosed start tag at byte offset %d", start)
	}
	inner := p.rest()[1:end]
	p.at += end + 1
	if name, ok := strings.CutPrefix(inner, "/"); ok {
		return p.endTag(strings.ToLower(strings.TrimSpace(name)), start)
	}
	name, args := inner, ""
	if i := strings.IndexAny(inner, " \n\t\r"); i >= 0 {
		name, args = inner[:i], strings.TrimSpace(inner[i:])
	}
	name = strings.ToLower(name)
	if !isTag(name) {
		return fmt.Errorf("unsupported start tag %q at byte offset %d", name, start)
	}
	if name == "span" && !strings.Contains(args, "tg-spoiler") {
		return fmt.Errorf(`tag "span" must have class "tg-spoiler" at byte offset %d`, start)
	}
	p.begin(name, args)
	return nil
}

func (p *parser) endTag(name string, start int) error {
	switch open := p.inside(); {
	case open == "":
		return fmt.Errorf("unexpected end tag at byte offset %d", start)
	case name != "" && name != open:
		return fmt.Errorf(`unmatched end tag at byte offset %d, expected "</%s>", found "</%s>"`, start, open, name)
	}
	p.end()
	return nil
}

func isTag(name string) bool {
	switch name {
	case "a", "b", "strong", "i", "em", "s", "strike", "del", "u", "ins", "span", "tg-spoiler", "tg-emoji", "tg-time",
		"pre", "code", "blockquote":
		return true
	}
	return false
}
