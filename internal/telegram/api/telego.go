package api

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/mymmrac/telego"
	ta "github.com/mymmrac/telego/telegoapi"

	_ "github.com/chatlane/chatlane/internal/telegram/codec" // for telego
	"github.com/chatlane/chatlane/internal/telegram/rules"
)

// newBot bypasses telego's constructor, which wants a token and compiles a pattern each time.
func newBot(calls *Calls) *telego.Bot {
	b := &telego.Bot{}
	for _, set := range []telego.BotOption{
		telego.WithAPICaller(caller{calls}),
		telego.WithRequestConstructor(constructor{calls.client.cfg.MaxUpload}),
		telego.WithLogger(silence{}),
		telego.WithAPIServer("turn:"), // caller reads nothing but the method from the URL
	} {
		if err := set(b); err != nil {
			panic(fmt.Sprintf("telegram: telego refuses an option: %v", err))
		}
	}
	return b
}

type caller struct{ calls *Calls }

// Call returns our errors; [Error.As] finds telego's in them.
func (c caller) Call(ctx context.Context, url string, data *ta.RequestData) (*ta.Response, error) {
	call := c.calls.call
	if f, ok := data.BodyStream.(*files); ok {
		call = c.calls.chain(f)
	}
	result, err := call(ctx, url[strings.LastIndexByte(url, '/')+1:], data.BodyRaw)
	if err != nil {
		return nil, err
	}
	return &ta.Response{Ok: true, Result: result}, nil
}

type constructor struct{ maxUpload int64 }

func (constructor) JSONRequest(parameters any) (*ta.RequestData, error) {
	if isNil(parameters) {
		parameters = nil
	}
	raw, err := encode(parameters)
	if err != nil {
		return nil, err
	}
	return &ta.RequestData{ContentType: ta.ContentTypeJSON, BodyRaw: raw}, nil
}

func (c constructor) MultipartRequest(
	parameters map[string]string, filesParameters map[string]ta.NamedReader,
) (*ta.RequestData, error) {
	names := slices.Collect(maps.Keys(filesParameters))
	names = slices.DeleteFunc(names, func(n string) bool { return isNil(filesParameters[n]) })
	if err := rules.CheckParts(parameters, names); err != nil { // telego keeps one file of a name
		return nil, err
	}
	f, err := collect(filesParameters, c.maxUpload)
	if err != nil {
		return nil, err
	}
	raw, err := view(parameters, f)
	if err != nil {
		return nil, err
	}
	return &ta.RequestData{ContentType: ta.ContentTypeJSON, BodyRaw: raw, BodyStream: f}, nil
}

// silence is telego's logger. Errors are logged where they are handled.
type silence struct{}

func (silence) Debugf(string, ...any) {}

func (silence) Errorf(string, ...any) {}

func isNil(v any) bool {
	if v == nil {
		return true
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface, reflect.Func, reflect.Chan:
		return r.IsNil()
	default:
		return false
	}
}
