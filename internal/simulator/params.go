package simulator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strconv"
)

// params are a call's parameters: strings as they are, other values as JSON.
type params map[string]string

func (p params) number(name string) int64 {
	n, err := strconv.ParseInt(p[name], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (p params) flag(name string) bool { return p[name] == "true" || p[name] == "1" }

func (p params) json(name string) json.RawMessage {
	if p[name] == "" || !json.Valid([]byte(p[name])) {
		return nil
	}
	return json.RawMessage(p[name])
}

func (p params) list(name string, into any) bool {
	return p[name] != "" && json.Unmarshal([]byte(p[name]), into) == nil
}

// maxParams is the largest request without files, in bytes.
const maxParams = 4 << 20

func readParams(query url.Values, contentType string, body io.Reader) (params, []Upload, error) {
	p := make(params, 8)
	p.addForm(query)
	kind, options, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = "" // no body, or one that cannot be read
	}
	if kind == "multipart/form-data" {
		files, err := p.addParts(multipart.NewReader(body, options["boundary"]))
		return p, files, err
	}
	raw, err := io.ReadAll(io.LimitReader(body, maxParams))
	if err != nil {
		return nil, nil, fmt.Errorf("read body: %w", err)
	}
	switch kind {
	case "application/json":
		return p, nil, p.addJSON(raw)
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(raw))
		if err != nil {
			return nil, nil, errors.New("can't parse form")
		}
		p.addForm(form)
	}
	return p, nil, nil
}

func (p params) addForm(form url.Values) {
	for name := range form {
		p[name] = form.Get(name)
	}
}

func (p params) addJSON(raw []byte) error {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return errors.New("can't parse JSON object")
	}
	for name, v := range fields {
		var s string
		switch {
		case string(v) == "null":
		case json.Unmarshal(v, &s) == nil:
			p[name] = s
		default:
			p[name] = string(v)
		}
	}
	return nil
}

func (p params) addParts(r *multipart.Reader) ([]Upload, error) {
	var files []Upload
	for {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read form: %w", err)
		}
		if part.FileName() == "" {
			value, err := io.ReadAll(io.LimitReader(part, maxParams))
			if err != nil {
				return nil, fmt.Errorf("read form: %w", err)
			}
			p[part.FormName()] = string(value)
			continue
		}
		sum := sha256.New()
		size, err := io.Copy(sum, part)
		if err != nil {
			return nil, fmt.Errorf("read file: %w", err)
		}
		files = append(files, Upload{
			Field: part.FormName(), Name: part.FileName(), Size: size, SHA256: hex.EncodeToString(sum.Sum(nil)),
		})
	}
}
