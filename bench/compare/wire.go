package compare

// What the harness and a peer's process say to each other, over the standard
// input and output of the peer: one request and one reply at a time. Each is a
// line of JSON, which may be followed by so many bytes as it says: rules in the
// native format, or numbers, the lowest byte first.

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Requests.
const (
	opList    = "list"    // the makers
	opLoad    = "load"    // Contestant.Load; data are the rules
	opKeys    = "keys"    // Contestant.Keys; data are the keys
	opAnswers = "answers" // Contestant.Answers of from..to; data of the reply are 32 bits each
	opPass    = "pass"    // Contestant.Pass
	opEdit    = "edit"    // Contestant.Edit; data are positions, inverted (^) for deletions, those of the reply nanoseconds in 64 bits
	opClose   = "close"   // the end
)

// maxLine bounds a line: the makers of a peer and their notes are the longest.
const maxLine = 256 << 10

// maxData bounds what follows a request: keys and rules.
const maxData = 4 << 30

type request struct {
	Op     string `json:"op"`
	Engine string `json:"engine,omitempty"`
	Memory int64  `json:"memory,omitempty"`
	From   int    `json:"from,omitempty"`
	To     int    `json:"to,omitempty"`
	Repeat int    `json:"repeat,omitempty"`
	Data   int64  `json:"data,omitempty"` // bytes that follow
}

type reply struct {
	// Peer is the version of all this; a line without it is no reply.
	Peer   int     `json:"hipac-peer"`
	Makers []About `json:"makers,omitempty"`
	Built  *Built  `json:"built,omitempty"`
	Number int64   `json:"number,omitempty"` // keys not asked, nanoseconds
	Error  string  `json:"error,omitempty"`
	Kind   string  `json:"kind,omitempty"` // of the error
	Data   int64   `json:"data,omitempty"`
}

const wireVersion = 1

// Kinds of errors that errors.Is tells on the other side too.
var kinds = []struct {
	name string
	err  error
}{{"unsupported", ErrUnsupported}, {"memory", ErrMemory}}

func (p *reply) setError(err error) {
	p.Error = err.Error()
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			p.Kind = k.name
		}
	}
}

// peerError is an error that a peer tells.
type peerError struct {
	text string
	kind error
}

func (e *peerError) Error() string { return e.text }
func (e *peerError) Unwrap() error { return e.kind }

func (p *reply) error() error {
	if p.Error == "" {
		return nil
	}
	e := &peerError{text: p.Error}
	for _, k := range kinds {
		if k.name == p.Kind {
			e.kind = k.err
		}
	}
	return e
}

// writeMessage writes a request or a reply and what follows it.
func writeMessage(w io.Writer, message any, data []byte) error {
	line, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if _, err := w.Write(append(line, '\n')); err != nil {
		return err
	}
	if len(data) > 0 {
		_, err = w.Write(data)
	}
	return err
}

// garbageError is something read that is no reply.
type garbageError struct{ why string }

func (e *garbageError) Error() string { return e.why }

// readLine reads a line of JSON into message, and io.EOF at the end.
func readLine(r *bufio.Reader, message any) error {
	line, err := r.ReadSlice('\n')
	switch {
	case err == bufio.ErrBufferFull:
		return &garbageError{fmt.Sprintf("a line longer than %d bytes: %q...", maxLine, line[:40])}
	case err == io.EOF && len(line) > 0:
		return &garbageError{fmt.Sprintf("a line without an end: %q", line[:min(80, len(line))])}
	case err != nil:
		return err
	}
	line = bytes.TrimRight(line, "\r\n")
	if err := json.Unmarshal(line, message); err != nil {
		return &garbageError{fmt.Sprintf("no reply: %q", line[:min(80, len(line))])}
	}
	return nil
}

func wordBytes[T uint32 | int32 | int64](words []T) []byte {
	b := bytes.NewBuffer(make([]byte, 0, binary.Size(words)))
	binary.Write(b, binary.LittleEndian, words) // a buffer takes everything
	return b.Bytes()
}

func bytesTo[T uint32 | int32 | int64](b []byte, words []T) error {
	_, err := binary.Decode(b, binary.LittleEndian, words)
	return err
}
