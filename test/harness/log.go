package harness

import (
	"bytes"
	"strings"
	"sync"
)

// tail keeps the last megabyte of a process's output.
type tail struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	lines int
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines += bytes.Count(p, []byte("\n"))
	if t.buf.Len() > 1<<20 {
		t.buf.Next(t.buf.Len() / 2)
	}
	return t.buf.Write(p)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.buf.Bytes()
	return string(b[max(0, len(b)-4000):])
}

// LogContains searches the kept part of the output.
func (p *Process) LogContains(text string) bool {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	return bytes.Contains(p.log.buf.Bytes(), []byte(text))
}

// LogLines are the lines of the kept part of the output that contain a text.
func (p *Process) LogLines(text string) (lines []string) {
	p.log.mu.Lock()
	defer p.log.mu.Unlock()
	for line := range strings.Lines(p.log.buf.String()) {
		if strings.Contains(line, text) {
			lines = append(lines, line)
		}
	}
	return lines
}
