package compare

// Programs that hold peers, and their contestants: each runs in a process of its
// own, so that one which crashes, hangs or eats the memory takes nobody with it.

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hipac-go/classifier/rules"
)

// Program is a program of peers. It may be used by any number of goroutines.
type Program struct {
	command []string
	makers  []About

	mu   sync.Mutex
	list *rules.List[string] // whose text is kept, for the next contestant
	text []byte
}

// Start runs a program that calls Serve, to ask which engines it has, and ends it
// again. The context bounds that.
func Start(ctx context.Context, command ...string) (*Program, error) {
	if len(command) == 0 {
		return nil, fmt.Errorf("no program of peers is given")
	}
	proc, err := startProcess(filepath.Base(command[0]), command)
	if err != nil {
		return nil, err
	}
	defer proc.end()
	p, err := proc.call(ctx, request{Op: opList}, nil, nil)
	if err != nil {
		return nil, err
	}
	return &Program{command: command, makers: p.Makers}, nil
}

// Explain gives another reason to the engines that are not there and whose names
// begin with the prefix: the caller may know why better than they do. Without a
// reason nothing changes. It is called before Contestants.
func (p *Program) Explain(prefix, why string) {
	for i := range p.makers {
		if m := &p.makers[i]; why != "" && m.Skip != "" && strings.HasPrefix(m.Name, prefix) {
			m.Skip = why
		}
	}
}

// Contestants returns a contestant for each engine of the program. Their
// processes begin with Load, and end with Close. Memory is bounded by Load's
// bytes on Linux also where the engine itself does not count: what the process
// takes beyond twice as much and 3 GiB ends it.
func (p *Program) Contestants() []Contestant {
	var all []Contestant
	for _, a := range p.makers {
		all = append(all, &remote{about: a, program: p})
	}
	return all
}

// rules returns the text of a list.
func (p *Program) rules(l *rules.List[string]) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.list != l {
		text, err := rulesText(l)
		if err != nil {
			return nil, err
		}
		p.list, p.text = l, text
	}
	return p.text, nil
}

// remote is an engine in a process of its own.
type remote struct {
	about   About
	program *Program
	proc    *process
}

func (c *remote) About() About { return c.about }

func (c *remote) Load(ctx context.Context, l *rules.List[string], bytes int64) (Built, error) {
	c.Close()
	if c.about.Skip != "" {
		return Built{}, fmt.Errorf("%s: %w here: %s", c.about.Name, ErrUnsupported, c.about.Skip)
	}
	text, err := c.program.rules(l)
	if err != nil {
		return Built{}, fmt.Errorf("%s: %w", c.about.Name, err)
	}
	if c.proc, err = startProcess(c.about.Name, c.program.command); err != nil {
		return Built{}, err
	}
	ctx, done := watchCPU(ctx, func() (time.Duration, error) { return childTime(c.proc.cmd.Process.Pid) })
	defer done()
	p, err := c.proc.call(ctx, request{Op: opLoad, Engine: c.about.Name, Memory: bytes}, text, nil)
	if err != nil {
		return Built{}, err
	}
	if p.Built == nil {
		return Built{}, c.proc.garbage("a reply that does not say what was built")
	}
	return *p.Built, nil
}

// call is the process's, once there is one.
func (c *remote) call(ctx context.Context, q request, data, answer []byte) (reply, error) {
	if c.proc == nil {
		return reply{}, errNotLoaded
	}
	return c.proc.call(ctx, q, data, answer)
}

func (c *remote) Keys(ctx context.Context, keys []uint32) (notAsked int, err error) {
	p, err := c.call(ctx, request{Op: opKeys}, wordBytes(keys), nil)
	return int(p.Number), err
}

func (c *remote) Answers(ctx context.Context, from int, out []int32) error {
	b := make([]byte, 4*len(out))
	if _, err := c.call(ctx, request{Op: opAnswers, From: from, To: from + len(out)}, nil, b); err != nil {
		return err
	}
	return bytesTo(b, out)
}

func (c *remote) Pass(ctx context.Context, from, to, repeat int) (time.Duration, error) {
	p, err := c.call(ctx, request{Op: opPass, From: from, To: to, Repeat: repeat}, nil, nil)
	return time.Duration(p.Number), err
}

func (c *remote) Edit(ctx context.Context, edits []Edit, took []time.Duration) error {
	if len(took) < len(edits) {
		return fmt.Errorf("room for the times of %d edits, and there are %d", len(took), len(edits))
	}
	positions := make([]int32, len(edits))
	for i, e := range edits {
		if positions[i] = e.Position; !e.Insert {
			positions[i] = ^e.Position
		}
	}
	b := make([]byte, 8*len(edits))
	if _, err := c.call(ctx, request{Op: opEdit}, wordBytes(positions), b); err != nil {
		return err
	}
	ns := make([]int64, len(edits))
	if err := bytesTo(b, ns); err != nil {
		return err
	}
	for i, n := range ns {
		took[i] = time.Duration(n)
	}
	return nil
}

func (c *remote) Close() error {
	if c.proc != nil {
		c.proc.end()
		c.proc = nil
	}
	return nil
}
