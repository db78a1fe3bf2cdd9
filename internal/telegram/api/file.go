package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// File opens a file by the path that getFile gave. Neither journaled nor limited. The caller closes it and
// bounds how much is read.
func (c *Client) File(ctx context.Context, token Token, path string) (io.ReadCloser, error) {
	ctx, span := c.tracer.Start(ctx, "telegram.file", trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	body, err := c.file(ctx, token, path)
	if err != nil {
		span.SetStatus(codes.Error, outcomeOf(err))
	}
	return body, err
}

func (c *Client) file(ctx context.Context, token Token, path string) (io.ReadCloser, error) {
	var escaped strings.Builder
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." {
			return nil, fmt.Errorf("telegram file: not a path that getFile gives")
		}
		_, _ = escaped.WriteString("/" + url.PathEscape(part))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.cfg.BaseURL+"/file/bot"+token.reveal()+escaped.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("telegram file: %w", errURL)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, noAnswer(ctx, "file", false, withoutURL(ctx, token, err))
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()
	return nil, &Error{Method: "file", Code: max(resp.StatusCode, 300), Description: http.StatusText(resp.StatusCode)}
}

// File is Client.File for this turn's bot.
func (c *Calls) File(ctx context.Context, path string) (io.ReadCloser, error) {
	_, leave, err := c.enter(ctx)
	if err != nil {
		return nil, fmt.Errorf("telegram file: %w", err)
	}
	leave() // an open file lives as long as ctx, not the turn
	return c.client.File(ctx, c.token, path)
}
