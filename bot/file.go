package bot

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mymmrac/telego"
)

// errNoFiles says that the turn was made without a way to files.
var errNoFiles = errors.New("files cannot be opened here")

// Download opens a file that a message brought, by its file id: 20 MB at most with
// Telegram's own server. The caller closes it, and bounds how much of it is read. The
// token stays hidden.
func (t *Turn) Download(ctx context.Context, fileID string) (io.ReadCloser, error) {
	if t.p.File == nil || t.p.API == nil {
		return nil, errNoFiles
	}
	f, err := t.p.API.GetFile(ctx, &telego.GetFileParams{FileID: fileID})
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	body, err := t.p.File(ctx, f.FilePath)
	if err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	return body, nil
}
