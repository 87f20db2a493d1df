package main

// Input: rules and packets from the files that flags name, or packets made from
// the rules.

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/capture"
	"github.com/hipac-go/classifier/rules/files"
)

// mostBytes is the memory that packets may take; those of a file that come
// behind it are left out.
const mostBytes = 512 << 20

// readRules reads the rule file that the flags name, and returns the memory
// that its rules take.
func (a *app) readRules(f *files.RuleFlags) (set *files.Rules, bytes int64, err error) {
	if f.Rules == "" {
		return nil, 0, files.BadUsage("--rules FILE is missing")
	}
	r, name, done, err := files.Open(f.Rules, a.stdin)
	if err != nil {
		return nil, 0, err
	}
	defer done()
	bytes, err = heapGrowth(func() error {
		set, err = files.ReadRules(r, name, f)
		return err
	})
	return set, bytes, err
}

// trace is packets as keys of one schema, one behind the other in one piece of
// memory.
type trace struct {
	name  string // where they come from
	words []uint32
	width int
	n     int
}

func (t *trace) key(i int) rules.Key {
	return rules.Key(t.words[i*t.width : (i+1)*t.width : (i+1)*t.width])
}

// keys returns the words of the packets from up to to.
func (t *trace) keys(from, to int) []uint32 { return t.words[from*t.width : to*t.width] }

// different returns the number of different packets.
func (t *trace) different() int {
	order := make([]int32, t.n)
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return slices.Compare(t.key(int(a)), t.key(int(b))) })
	return len(slices.CompactFunc(order, func(a, b int32) bool { return slices.Equal(t.key(int(a)), t.key(int(b))) }))
}

// shuffle puts the packets in random order.
func (t *trace) shuffle(seed uint64) {
	spare := make([]uint32, t.width)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(t.n, func(i, j int) {
		copy(spare, t.key(i))
		copy(t.key(i), t.key(j))
		copy(t.key(j), spare)
	})
}

// makeTrace makes n packets for a list.
func makeTrace[T any](l *rules.List[T], n int, seed uint64) (*trace, error) {
	k, err := workload.Packets(l, workload.PacketConfig{N: n, Seed: seed, Mode: workload.Uniform})
	if err != nil {
		return nil, err
	}
	return &trace{name: fmt.Sprintf("made from the rules (seed %d)", seed), words: k.Words(), width: l.Schema().KeyLen(), n: k.Len()}, nil
}

// readTrace reads the packet file that the flags name.
func (a *app) readTrace(f *files.PacketFlags, s *rules.Schema) (*trace, error) {
	t := &trace{name: f.Packets, width: s.KeyLen()}
	key := s.NewKey()
	err := a.eachPacket(f, s, key, func(in *files.Packets, info capture.Info) (more bool) {
		if info.Outside {
			return true
		}
		t.words = append(t.words, key...)
		t.n++
		return 4*len(t.words) < mostBytes
	})
	if err == nil && t.n == 0 {
		err = fmt.Errorf("%s: no packets that the rules are about", t.name)
	}
	return t, err
}

// eachPacket calls take with every packet of a file that can be decoded, its
// key in key, until take says that there is enough. It warns of packets that are
// left out.
func (a *app) eachPacket(f *files.PacketFlags, s *rules.Schema, key rules.Key, take func(*files.Packets, capture.Info) (more bool)) error {
	r, name, done, err := files.Open(f.Packets, a.stdin)
	if err != nil {
		return err
	}
	defer done()
	in, err := files.NewPackets(r, name, f, s)
	if err != nil {
		return err
	}
	read, damaged, outside := 0, 0, 0
	enough := false
	for !enough {
		info, err := in.Next(key)
		if err == io.EOF {
			break
		}
		read++
		if errors.As(err, new(*capture.PacketError)) {
			damaged++
			continue
		}
		if err != nil {
			return err
		}
		if info.Outside {
			outside++
		}
		enough = !take(in, info)
	}
	if damaged > 0 {
		a.warn("%s: %d of %d packets left out: not IP, or damaged", name, damaged, read)
	}
	if outside > 0 {
		a.warn("%s: %d of %d packets have addresses of a family that the rules are not about", name, outside, read)
	}
	if enough {
		a.warn("%s: only the first %d packets are used: more take too much memory", name, read)
	}
	return nil
}
