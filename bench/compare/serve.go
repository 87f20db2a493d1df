package compare

// The side of a peer's program: Serve answers the requests of the harness.

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/native"
)

// Serve offers the engines of the makers to a harness that writes to in and
// reads from out, until in ends or asks to close. Nothing else must be written to
// out: a program whose libraries print keeps them from it. The error, if any, is
// that the harness went away, or that what writes to in is none.
func Serve(in io.Reader, out io.Writer, makers []*Maker) error {
	s := &server{in: bufio.NewReaderSize(in, maxLine), makers: makers}
	for {
		var q request
		if err := readLine(s.in, &q); err != nil {
			if err == io.EOF {
				err = nil
			}
			return err
		}
		if q.Data < 0 || q.Data > maxData {
			return fmt.Errorf("%s: %d bytes are too many", q.Op, q.Data)
		}
		data := &io.LimitedReader{R: s.in, N: q.Data}
		p := reply{Peer: wireVersion}
		b, err := s.answer(&q, data, &p)
		if err != nil {
			p, b = reply{Peer: wireVersion}, nil
			p.setError(err)
		}
		if _, err := io.Copy(io.Discard, data); err != nil {
			return err
		}
		p.Data = int64(len(b))
		if err := writeMessage(out, &p, b); err != nil {
			return err
		}
		if q.Op == opClose {
			return nil
		}
	}
}

type server struct {
	in     *bufio.Reader
	makers []*Maker
	loaded Contestant
	list   *rules.List[string]
}

func (s *server) answer(q *request, data *io.LimitedReader, p *reply) ([]byte, error) {
	ctx := context.Background() // a harness that has waited enough ends the process
	if s.loaded == nil && q.Op != opList && q.Op != opLoad && q.Op != opClose {
		return nil, errNotLoaded
	}
	switch q.Op {
	case opList:
		for _, m := range s.makers {
			p.Makers = append(p.Makers, m.about())
		}
	case opLoad:
		return nil, s.load(ctx, q, data, p)
	case opKeys:
		b, err := io.ReadAll(data)
		if err != nil {
			return nil, err
		}
		keys := make([]uint32, len(b)/4)
		if err := bytesTo(b, keys); err != nil {
			return nil, err
		}
		n, err := s.loaded.Keys(ctx, keys)
		p.Number = int64(n)
		return nil, err
	case opAnswers:
		if q.To < q.From || q.To-q.From > maxData/4 {
			return nil, fmt.Errorf("no keys %d to %d", q.From, q.To)
		}
		answers := make([]int32, q.To-q.From)
		if err := s.loaded.Answers(ctx, q.From, answers); err != nil {
			return nil, err
		}
		return wordBytes(answers), nil
	case opPass:
		took, err := s.loaded.Pass(ctx, q.From, q.To, q.Repeat)
		p.Number = int64(took)
		return nil, err
	case opEdit:
		b, err := io.ReadAll(data)
		if err != nil {
			return nil, err
		}
		positions := make([]int32, len(b)/4)
		if err := bytesTo(b, positions); err != nil {
			return nil, err
		}
		edits := make([]Edit, len(positions))
		for i, at := range positions {
			edits[i] = Edit{Position: max(at, ^at), Insert: at >= 0}
		}
		took := make([]time.Duration, len(edits))
		if err := s.loaded.Edit(ctx, edits, took); err != nil {
			return nil, err
		}
		ns := make([]int64, len(took))
		for i, d := range took {
			ns[i] = int64(d)
		}
		return wordBytes(ns), nil
	case opClose:
		if s.loaded != nil {
			return nil, s.loaded.Close()
		}
	default:
		return nil, fmt.Errorf("no request %q", q.Op)
	}
	return nil, nil
}

func (s *server) load(ctx context.Context, q *request, data io.Reader, p *reply) error {
	if s.loaded != nil {
		s.loaded.Close()
		s.loaded, s.list = nil, nil
	}
	for _, m := range s.makers {
		if m.Name != q.Engine {
			continue
		}
		l, err := native.Read(data, native.Options{File: "the rules", AllowUnknown: true, Limits: rules.Limits{MaxMemory: 64 << 30, MaxInput: 2<<30 - 1}})
		if err != nil {
			return err
		}
		if err := limitMemory(q.Memory); err != nil {
			return err
		}
		c := Local(m)
		b, err := c.Load(ctx, l, q.Memory)
		if err != nil {
			return err
		}
		s.loaded, s.list, p.Built = c, l, &b
		return nil
	}
	return fmt.Errorf("there is no engine %q here", q.Engine)
}

// rulesText writes a list as Serve reads it.
func rulesText(l *rules.List[string]) ([]byte, error) {
	var b bytes.Buffer
	if err := native.Write(&b, l); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
