package compare

// The harness's side of a peer's process: a call sends a request and reads the
// reply, and when none comes finds out why.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// What can go wrong with a process, for errors.Is.
var (
	ErrCrashed = errors.New("crashed")                     // it ended by itself
	ErrHung    = errors.New("no answer in time")           // it was ended when the context was
	ErrGarbage = errors.New("what it printed is no reply") // it was ended for that
)

// ProcessError is the end of a peer's process.
type ProcessError struct {
	Name   string // of the engine, or of the program
	Asked  string // for what
	Why    error  // ErrCrashed, ErrHung with the context's cause, or ErrGarbage
	Detail string // "signal: segmentation fault"; "" for none
	Last   string // the last lines that it wrote to stderr, or what Go says of a panic
}

func (e *ProcessError) Error() string {
	s := fmt.Sprintf("%s: %v", e.Name, e.Why)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	s += " (asked to " + e.Asked + ")"
	if e.Last != "" {
		s += ": " + e.Last
	}
	return s
}

// Unwrap makes Why known to errors.Is.
func (e *ProcessError) Unwrap() error { return e.Why }

type process struct {
	name   string
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	stderr *tail
	wait   func() error
	failed error
}

func startProcess(name string, command []string) (*process, error) {
	cmd := exec.Command(command[0], command[1:]...)
	p := &process{name: name, cmd: cmd, stderr: &tail{}}
	// A Go program that panics tells of one goroutine only.
	cmd.Env = append(os.Environ(), "GOTRACEBACK=single")
	cmd.Stderr = p.stderr
	cmd.WaitDelay = time.Second
	apart(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	// A pipe of our own: that of StdoutPipe is closed by Wait, with what is in it.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		r.Close()
		w.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	w.Close()
	running.Store(cmd, nil)
	p.in, p.out = in, bufio.NewReaderSize(r, maxLine)
	p.wait = sync.OnceValue(func() error {
		err := cmd.Wait()
		r.Close()
		running.Delete(cmd)
		return err
	})
	return p, nil
}

// running are the processes, each a *exec.Cmd, that have not been waited for.
var running sync.Map

// KillAll ends the processes of all peers, and of what builds them, for a program
// that is about to end without closing its contestants. It may be called at any time.
func KillAll() {
	running.Range(func(c, _ any) bool {
		killGroup(c.(*exec.Cmd))
		return true
	})
}

// end ends the process, if it has not.
func (p *process) end() {
	p.cmd.Process.Kill()
	p.in.Close()
	p.wait()
}

// call sends a request, followed by data, and reads the reply, followed by just
// as many bytes as answer has. An error that the peer told leaves it running;
// after any other it is gone, and the next call returns that error again.
func (p *process) call(ctx context.Context, q request, data, answer []byte) (reply, error) {
	if p.failed != nil {
		return reply{}, p.failed
	}
	if err := ctx.Err(); err != nil {
		return reply{}, err
	}
	q.Data = int64(len(data))
	stop := context.AfterFunc(ctx, func() { p.cmd.Process.Kill() })
	r, err := p.exchange(&q, data, answer)
	if !stop() && err == nil {
		err = ctx.Err() // killed after the reply
	}
	if err != nil {
		return reply{}, p.fail(ctx, q.Op, err)
	}
	return r, r.error()
}

func (p *process) exchange(q *request, data, answer []byte) (r reply, err error) {
	// When the process ends while it is written to, what it wrote before that and
	// how it ended say more than the broken pipe.
	sent := writeMessage(p.in, q, data)
	if err := readLine(p.out, &r); err != nil {
		return r, err
	}
	switch {
	case r.Peer != wireVersion:
		return r, &garbageError{fmt.Sprintf("a reply of version %d instead of %d", r.Peer, wireVersion)}
	case sent != nil:
		return r, sent
	case r.Error != "":
		answer = nil
	}
	if r.Data != int64(len(answer)) {
		return r, &garbageError{fmt.Sprintf("%d bytes of data instead of %d", r.Data, len(answer))}
	}
	_, err = io.ReadFull(p.out, answer)
	return r, err
}

// garbage ends a process whose replies make no sense.
func (p *process) garbage(why string) error {
	return p.fail(context.Background(), "reply", &garbageError{why})
}

// fail ends the process and says what happened.
func (p *process) fail(ctx context.Context, asked string, err error) error {
	e := &ProcessError{Name: p.name, Asked: asked}
	p.failed = e
	var garbage *garbageError
	switch {
	case ctx.Err() != nil:
		p.end()
		e.Why = fmt.Errorf("%w: %w", ErrHung, context.Cause(ctx))
		if errors.Is(ctx.Err(), context.Canceled) {
			e.Why = context.Cause(ctx)
		}
	case errors.As(err, &garbage):
		p.end()
		e.Why, e.Detail = ErrGarbage, garbage.why
	default:
		// Its output has ended; so will it, or it has closed it and goes on.
		p.in.Close()
		late := time.AfterFunc(2*time.Second, func() { p.cmd.Process.Kill() })
		ended := p.wait()
		late.Stop()
		e.Why = ErrCrashed
		if ended == nil {
			e.Detail = "it ended by itself"
		} else {
			e.Detail = ended.Error()
		}
	}
	e.Last = p.stderr.last()
	return e
}

// tail keeps the beginning and the end of what a process writes to stderr.
type tail struct {
	mu   sync.Mutex
	head []byte
	rest []byte
}

// tailBytes is how much of each is kept.
const tailBytes = 8 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(b)
	take := min(n, tailBytes-len(t.head))
	t.head = append(t.head, b[:take]...)
	t.rest = append(t.rest, b[take:]...)
	if len(t.rest) > 2*tailBytes {
		t.rest = append(t.rest[:0], t.rest[len(t.rest)-tailBytes:]...)
	}
	return n, nil
}

// last returns the lines that say what happened, in one: where the Go runtime
// speaks, what it says first, and else the last three.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var lines []string
	for line := range bytes.Lines(slices.Concat(t.head, t.rest)) {
		text := strings.ToValidUTF8(strings.TrimSpace(string(line)), "?")
		if text == "" {
			continue
		}
		for _, begin := range []string{"panic: ", "fatal error: ", "runtime: out of memory", "SIG"} {
			if strings.HasPrefix(text, begin) {
				return cut(text)
			}
		}
		lines = append(lines, cut(text))
	}
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}

// cut bounds the length of a line.
func cut(s string) string {
	const most = 300
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
