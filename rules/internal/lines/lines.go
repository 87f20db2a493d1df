// Package lines reads text files line by line within limits. It is what the
// line-based formats below package rules share: it copes with CRLF and with a
// last line that has no end, refuses NUL bytes, and never holds more than one
// line of limited length in memory, however long the input's lines are.
package lines

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/hipac-go/classifier/rules"
)

// firstBuffer is the buffer's first size: large enough that reading costs
// little per line, small enough for a rule file of three lines.
const firstBuffer = 32 << 10

// Reader reads lines from an io.Reader. It is for one goroutine.
type Reader struct {
	src      io.Reader
	file     string
	maxLine  int
	maxInput int64 // negative: any

	buf        []byte
	start, end int   // buf[start:end] has been read from src and not returned
	total      int64 // bytes read from src
	number     int   // of the line returned last
	srcErr     error // what src said, io.EOF included
	err        error // what Next goes on to say
}

// NewReader returns a reader of the lines of src. The file's name appears in
// errors. Of the limits, MaxLine and MaxInput count; a negative MaxInput means
// that there is none, for streams that are not kept.
func NewReader(src io.Reader, file string, limits rules.Limits) *Reader {
	limits = limits.OrDefault()
	return &Reader{src: src, file: file, maxLine: limits.MaxLine, maxInput: int64(limits.MaxInput)}
}

// Next returns the next line without its end (LF or CRLF) and its number,
// from 1. The line is valid until the next call. At the end of the input the
// error is io.EOF; any other error is a *rules.ParseError: a NUL byte, a line
// longer than MaxLine (found after reading no more than that), more than
// MaxInput bytes (ErrLimit, after the lines before), or what the underlying
// reader said. After an error Next keeps returning it.
//
// A byte order mark at the beginning of the input is skipped.
func (r *Reader) Next() (line []byte, number int, err error) {
	if r.err != nil {
		return nil, r.number, r.err
	}
	seen := r.start // no line end before it
	for {
		if i := bytes.IndexByte(r.buf[seen:r.end], '\n'); i >= 0 {
			line = r.buf[r.start : seen+i]
			r.start = seen + i + 1
			break
		}
		have := r.end - r.start
		if have > r.maxLine+1 { // one more than a line and its CR
			return r.tooLong(r.number + 1)
		}
		if r.srcErr == io.EOF && have > 0 {
			line = r.buf[r.start:r.end]
			r.start = r.end
			break
		}
		if r.srcErr != nil {
			r.err = r.srcErr
			if r.srcErr != io.EOF {
				r.number++
				r.err = r.sourceError()
			}
			return nil, r.number, r.err
		}
		r.fill()
		seen = r.start + have
	}
	r.number++
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if len(line) > r.maxLine {
		return r.tooLong(r.number)
	}
	if i := bytes.IndexByte(line, 0); i >= 0 {
		r.err = r.Error(i+1, "", "NUL byte: this is not a text file", nil)
		return nil, r.number, r.err
	}
	if r.number == 1 {
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	return line, r.number, nil
}

func (r *Reader) tooLong(number int) ([]byte, int, error) {
	r.number = number
	r.err = r.Error(r.maxLine+1, "", fmt.Sprintf("line is longer than %d bytes", r.maxLine), rules.ErrLimit)
	return nil, number, r.err
}

func (r *Reader) sourceError() error {
	if r.srcErr == rules.ErrLimit {
		return r.Error(0, "", fmt.Sprintf("input is longer than %d bytes", r.maxInput), rules.ErrLimit)
	}
	return r.Error(0, "", fmt.Sprintf("cannot read: %v", r.srcErr), r.srcErr)
}

// fill reads more of the source behind buf[start:end], after making room.
func (r *Reader) fill() {
	if r.end == len(r.buf) {
		if r.start > 0 {
			r.end = copy(r.buf, r.buf[r.start:r.end])
			r.start = 0
		} else {
			size := min(max(2*len(r.buf), firstBuffer), max(r.maxLine+2, firstBuffer))
			r.buf = append(make([]byte, 0, size), r.buf...)[:size]
		}
	}
	room := r.buf[r.end:]
	if left := r.maxInput + 1 - r.total; r.maxInput >= 0 && int64(len(room)) > left {
		room = room[:left]
	}
	for range 100 {
		n, err := r.src.Read(room)
		if n < 0 || n > len(room) {
			n, err = 0, fmt.Errorf("the reader returned an impossible count")
		}
		r.end += n
		r.total += int64(n)
		r.srcErr = err
		if r.maxInput >= 0 && r.total > r.maxInput {
			r.srcErr = rules.ErrLimit
			r.end-- // the byte too many
		}
		if n > 0 || r.srcErr != nil {
			return
		}
	}
	r.srcErr = io.ErrNoProgress
}

// Number returns the number of the line that Next returned last; 0 before the
// first.
func (r *Reader) Number() int { return r.number }

// File returns the name that errors carry.
func (r *Reader) File() string { return r.file }

// Error returns an error at a column, from 1, of the line that Next returned
// last. The cause may be nil.
func (r *Reader) Error(column int, token, reason string, cause error) *rules.ParseError {
	return &rules.ParseError{File: r.file, Line: r.number, Column: column, Token: token, Reason: reason, Err: cause}
}

// CheckUTF8 returns an error at the first byte of line that is not UTF-8, or
// nil. line must be the one that Next returned last.
func (r *Reader) CheckUTF8(line []byte) error {
	if utf8.Valid(line) {
		return nil
	}
	for i := 0; i < len(line); {
		c, size := utf8.DecodeRune(line[i:])
		if c == utf8.RuneError && size == 1 {
			return r.Error(i+1, "", fmt.Sprintf("byte %#02x is not UTF-8", line[i]), nil)
		}
		i += size
	}
	return nil
}
