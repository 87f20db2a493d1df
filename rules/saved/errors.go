package saved

// Errors of loading.

import (
	"errors"
	"fmt"
)

// What is wrong with a file, for errors.Is; errors.As gives an *Error.
var (
	// ErrFormat: it is no such file.
	ErrFormat = errors.New("not a compiled file")
	// ErrTruncated: its end is missing.
	ErrTruncated = errors.New("truncated file")
	// ErrDamaged: what it holds is not what was written.
	ErrDamaged = errors.New("damaged file")
	// ErrVersion: it was written in another version of the format, a newer or an
	// older one.
	ErrVersion = errors.New("file of another version")
	// ErrOther: it is a sound file, but of other content than was asked for: values
	// of another codec, another schema, tables in place of a list.
	ErrOther = errors.New("file of other content")
	// ErrTooLarge: this machine cannot address it.
	ErrTooLarge = errors.New("file too large for this machine")
)

// Error says what is wrong with a file, and where.
type Error struct {
	Section string // the name of the section, or "header" or "directory"
	Offset  int64  // in the file, or -1
	Reason  string
	Err     error // one of those above
}

// Error writes the reason, the section and the offset.
func (e *Error) Error() string {
	where := ""
	if e.Section != "" {
		where = e.Section + ": "
		if e.Offset >= 0 {
			where = fmt.Sprintf("%s at byte %d: ", e.Section, e.Offset)
		}
	}
	return fmt.Sprintf("%v: %s%s", e.Err, where, e.Reason)
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

func headerError(err error, format string, args ...any) error {
	return &Error{Section: "header", Offset: -1, Reason: fmt.Sprintf(format, args...), Err: err}
}

// Other returns an error that is ErrOther.
func Other(format string, args ...any) error {
	return &Error{Offset: -1, Reason: fmt.Sprintf(format, args...), Err: ErrOther}
}
