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

// newBot makes a telego.Bot without telego's constructor: that wants a token, which
// has no business here, and compiles a pattern each time.
func newBot(calls *Calls) *telego.Bot {
	b := &telego.Bot{}
	for _, set := range []telego.BotOption{
		telego.WithAPICaller(caller{calls}),
		telego.WithRequestConstructor(constructor{calls.client.cfg.MaxUpload}),
		telego.WithLogger(silence{}),
		telego.WithAPIServer("turn:"), // the method is all that is read of the URL
	} {
		if err := set(b); err != nil {
			panic(fmt.Sprintf("telegram: telego refuses an option: %v", err))
		}
	}
	return b
}

// caller is telego's way to the calls of a turn.
type caller struct{ calls *Calls }

// Call makes one call. Refusals are errors of ours, which telego's are found in, too.
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

// constructor hands a call's parameters through as JSON, and files beside them.
type constructor struct{ maxUpload int64 }

// JSONRequest takes parameters without files.
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

// MultipartRequest takes parameters with files, which are read here.
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

// silence is telego's logger: what is worth a line is logged by who handles it.
type silence struct{}

// Debugf says nothing.
func (silence) Debugf(string, ...any) {}

// Errorf says nothing.
func (silence) Errorf(string, ...any) {}

// isNil also finds nil pointers in interfaces.
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
