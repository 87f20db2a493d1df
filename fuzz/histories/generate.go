package histories

// Histories from a seed, or from bytes: phases of transactions, each of which
// has its own mixture of edits, and places where they are.

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/hipac-go/classifier/rules"
)

// Config asks for a history. The same one gives the same history.
type Config struct {
	Kind  string // one of Kinds
	Seed  uint64
	Rules int // of the first list
	Steps int
	Rests int // every so many steps nothing happens for a while; 0 for never
}

// draws is where choices come from.
type draws interface {
	IntN(n int) int
	// ended reports whether there are no more.
	ended() bool
}

type seeded struct{ *rand.Rand }

func (seeded) ended() bool { return false }

// bytes reads choices from bytes; when they run out, all are 0.
type bytes struct{ data []byte }

func (b *bytes) ended() bool { return len(b.data) == 0 }

func (b *bytes) IntN(n int) int {
	x := 0
	for range 4 {
		if len(b.data) == 0 || n == 1 {
			break
		}
		x = x<<8 | int(b.data[0])
		b.data = b.data[1:]
		if n <= 256 {
			break
		}
		n = (n + 255) / 256
	}
	return x
}

// intn returns a number below n.
func intn(d draws, n int) int { return d.IntN(n) % n }

// Generate returns the history of a configuration.
func Generate(c Config) (*History, error) {
	h, err := generate(c, seeded{rand.New(rand.NewPCG(c.Seed, 0x6869))})
	if err == nil {
		h.whole = true
	}
	return h, err
}

// FromBytes returns a history of at most 60 rules at first and 64 steps whose
// choices are the bytes.
func FromBytes(data []byte) (*History, error) {
	b := &bytes{data}
	c := Config{Kind: kinds[intn(b, len(kinds))].name, Seed: uint64(intn(b, 8)), Rules: intn(b, 61), Steps: 64}
	return generate(c, b)
}

// phase is a mixture of edits.
type phase struct {
	weights [numOps]int
	places  places
	hot     int // place, of those that stay
	size    size
}

type places uint8

const (
	anywhere places = iota
	hot             // at one place
	near            // where a rule was inserted last
	ends
	numPlaces
)

// size is how many edits transactions have.
type size uint8

const (
	single size = iota
	some
	bulk
)

// phases are the mixtures: weights by Op.
var phases = []phase{
	{weights: [numOps]int{1, 3, 1, 1, 6, 1, 1, 1, 1, 1, 0, 1}},                // churn
	{weights: [numOps]int{1, 4, 1, 2, 7, 1, 1, 1, 1, 1, 0, 1}},                // more of it
	{weights: [numOps]int{2, 6, 2, 2, 1, 0, 0, 0, 0, 0, 0, 0}},                // growth
	{weights: [numOps]int{0, 1, 0, 0, 9, 0, 0, 0, 0, 0, 0, 1}},                // shrinking
	{weights: [numOps]int{0, 3, 3, 3, 1, 0, 0, 0, 0, 0, 0, 0}, places: hot},   // one place
	{weights: [numOps]int{0, 0, 1, 8, 1, 0, 0, 0, 0, 0, 0, 0}, places: near},  // in sequence
	{weights: [numOps]int{0, 0, 0, 0, 1, 0, 0, 4, 4, 4, 0, 1}},                // moves
	{weights: [numOps]int{0, 0, 0, 0, 0, 1, 0, 6, 1, 1, 0, 0}, places: ends},  // moves at the ends
	{weights: [numOps]int{0, 1, 0, 0, 1, 8, 4, 0, 0, 0, 0, 1}},                // replacement
	{weights: [numOps]int{1, 4, 1, 1, 6, 2, 1, 1, 1, 1, 0, 1}, size: some},    // small transactions
	{weights: [numOps]int{1, 6, 1, 1, 6, 2, 1, 1, 1, 1, 0, 0}, size: bulk},    // large ones
	{weights: [numOps]int{9, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, size: some},    // beginning anew
	{weights: [numOps]int{0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 12}, places: ends}, // mistakes
}

// generator makes the steps of a history.
type generator struct {
	draws
	h     *History
	n     int // rules that the list has
	most  int // about
	phase phase
	left  int // steps of it
}

func generate(c Config, d draws) (*History, error) {
	var k *kind
	for i := range kinds {
		if kinds[i].name == c.Kind {
			k = &kinds[i]
		}
	}
	if k == nil {
		return nil, fmt.Errorf("histories: no kind %q", c.Kind)
	}
	pool, err := k.pool(c.Seed, c.Rules)
	if err != nil {
		return nil, err
	}
	return generateOf(c, d, k.schema, pool), nil
}

// GenerateOf returns a history over rules that are given, at least one: the first
// c.Rules of them are the first list, all of them what edits bring. c.Kind does not
// count.
func GenerateOf(c Config, s *rules.Schema, pool []rules.Rule[int]) (*History, error) {
	if len(pool) == 0 || c.Rules > len(pool) {
		return nil, fmt.Errorf("histories: %d rules of %d", c.Rules, len(pool))
	}
	return generateOf(c, seeded{rand.New(rand.NewPCG(c.Seed, 0x6869))}, s, pool), nil
}

func generateOf(c Config, d draws, s *rules.Schema, pool []rules.Rule[int]) *History {
	h := &History{Config: c, Schema: s, Pool: pool}
	for i := range c.Rules {
		h.First = append(h.First, i)
	}
	g := &generator{draws: d, h: h, n: c.Rules, most: c.Rules + c.Rules/2 + 40}
	for i := range c.Steps {
		if d.ended() {
			break
		}
		if c.Rests > 0 && i%c.Rests == c.Rests-1 {
			h.Steps = append(h.Steps, Step{End: Rest})
			continue
		}
		h.Steps = append(h.Steps, g.step())
	}
	return h
}

func (g *generator) step() Step {
	if g.left == 0 {
		g.phase = phases[intn(g, len(phases))]
		g.left = 10 + intn(g, 120)
		if g.phase.size == bulk {
			g.left = 1 + intn(g, 4)
		}
		g.phase.hot = intn(g, 1<<16)
		if intn(g, 4) == 0 {
			g.phase.places = places(intn(g, int(numPlaces)))
		}
	}
	g.left--
	var s Step
	switch x := intn(g, 64); {
	case x < 40:
		s.End = Commit
	case x < 48:
		s.End = Within
	case x < 53:
		s.End = Rolled
	case x < 55:
		s.End = Failed
	case x < 56:
		s.End = Thrown
	case x < 59:
		s.End = Dry
	case x < 61:
		s.End = Applied
	case x < 62:
		s.End = DryApplied
	default:
		s.End = Expired
	}
	before := g.n
	for range g.edits() {
		s.Edits = append(s.Edits, g.edit())
	}
	if s.End > Within && s.End < Expired || s.End == DryApplied {
		g.n = before
	}
	return s
}

// edits returns the number of edits of a transaction.
func (g *generator) edits() int {
	switch {
	case g.phase.size == bulk:
		return 65 + intn(g, 40) + intn(g, 2)*g.n/8
	case g.phase.size == some || intn(g, 24) == 0:
		return intn(g, 12)
	}
	return 1
}

func (g *generator) edit() Edit {
	var total int
	for _, w := range g.phase.weights {
		total += w
	}
	x := intn(g, total)
	e := Edit{}
	for x >= g.phase.weights[e.Op] {
		x -= g.phase.weights[e.Op]
		e.Op++
	}
	if g.n > g.most && e.Op.inserts() && intn(g, 3) > 0 {
		e.Op = Delete
	}
	if e.Op == Flush && intn(g, 6) > 0 { // seldom
		e.Op = Append
	}
	e.At, e.To = g.place(), g.place()
	switch g.phase.places {
	case hot:
		e.At = g.phase.hot
	case near:
		e.Near, e.At = true, 0
	}
	e.Rule = intn(g, len(g.h.Pool))
	switch {
	case e.Op.inserts():
		if intn(g, 12) == 0 {
			e.ID = g.id()
		}
		g.n++
	case e.Op == Delete:
		g.n = max(g.n-1, 0)
	case e.Op == Flush:
		g.n = 0
	}
	return e
}

func (g *generator) place() int {
	if g.phase.places == ends {
		return intn(g, 4) - 2
	}
	return intn(g, 1<<16)
}

// id returns an identity, of which some are used already.
func (g *generator) id() rules.ID {
	switch x := intn(g, 40); {
	case x == 0 && g.h.Config.Seed%16 == 15: // there are none above
		return math.MaxUint64 - rules.ID(intn(g, 3))
	case x < 6:
		return 1<<40 + rules.ID(intn(g, 1000))
	}
	return 1 + rules.ID(intn(g, 2*g.most))
}
