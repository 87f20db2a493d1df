package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/hipac"
	"github.com/hipac-go/classifier/rules"
)

// Packets per benchmark: enough that they do not fit the branch predictor's
// memory, few enough to make quickly.
const packets = 1 << 15

type input struct {
	list *rules.List[string]
	keys *workload.Keys
}

// cache holds the inputs made so far: the testing package calls a benchmark
// several times.
var cache = map[string]*input{}

func load(b *testing.B, name string, generate func() (*rules.List[string], error)) *input {
	b.Helper()
	if in := cache[name]; in != nil {
		return in
	}
	l, err := generate()
	if err != nil {
		b.Fatal(err)
	}
	keys, err := workload.Packets(l, workload.PacketConfig{N: packets, Seed: 2, Mode: workload.Uniform})
	if err != nil {
		b.Fatal(err)
	}
	in := &input{l, keys}
	cache[name] = in
	return in
}

func family(b *testing.B, name string, n int) *input {
	return load(b, fmt.Sprint(name, n), func() (*rules.List[string], error) {
		return workload.Generate(workload.Config{Family: name, Rules: n, Seed: 1})
	})
}

// eachSet runs f for every family and size.
func eachSet(b *testing.B, sizes []int, f func(b *testing.B, in *input)) {
	for _, name := range workload.Families() {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("set=%s/n=%d", name, n), func(b *testing.B) { f(b, family(b, name, n)) })
		}
	}
}

func compile(b *testing.B, in *input, e hipac.Engine) *hipac.Classifier[string] {
	b.Helper()
	c, err := hipac.Build(context.Background(), in.list, &hipac.Options{Engine: e, FirstMatchOnly: e == hipac.Tree})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// lookup measures lookups one at a time, value and identity included.
func lookup(b *testing.B, in *input, c *hipac.Classifier[string]) {
	w := in.list.Schema().KeyLen()
	words := in.keys.Words()
	matched := 0
	at := 0
	for b.Loop() {
		if _, ok := c.Lookup(words[at : at+w]); ok {
			matched++
		}
		if at += w; at == len(words) {
			at = 0
		}
	}
	st := c.Stats()
	b.ReportMetric(float64(st.Bytes())/float64(in.list.Len()), "B/rule")
	b.ReportMetric(float64(matched)/float64(b.N), "matched")
}

func BenchmarkLookup(b *testing.B) {
	eachSet(b, []int{1000, 10000, 100000, 1000000}, func(b *testing.B, in *input) { lookup(b, in, compile(b, in, hipac.Tree)) })
}

// BenchmarkLookupSchema measures other schemas beside the IPv4 5-tuple.
func BenchmarkLookupSchema(b *testing.B) {
	const n = 10000
	for _, s := range []struct {
		name     string
		generate func() (*rules.List[string], error)
	}{
		{"ipv4", func() (*rules.List[string], error) {
			return workload.Generate(workload.Config{Family: "fw1", Rules: n, Seed: 1})
		}},
		{"ipv6", func() (*rules.List[string], error) {
			return workload.Generate(workload.Config{Family: "fw1", Rules: n, Seed: 1, IPv6: true})
		}},
		{"firewall", func() (*rules.List[string], error) {
			return workload.FirewallSet(workload.Config{Family: "fw1", Rules: n, Seed: 1})
		}},
	} {
		b.Run(fmt.Sprintf("schema=%s/set=fw1/n=%d", s.name, n), func(b *testing.B) {
			in := load(b, s.name, s.generate)
			lookup(b, in, compile(b, in, hipac.Tree))
		})
	}
}

// BenchmarkAdversarial measures sets that no tree separates: lookups of packets
// of every kind, misses included.
func BenchmarkAdversarial(b *testing.B) {
	for _, kind := range workload.Adversaries() {
		for _, n := range []int{10000, 100000} {
			b.Run(fmt.Sprintf("set=%s/n=%d", kind, n), func(b *testing.B) {
				in := load(b, fmt.Sprint(kind, n), func() (*rules.List[string], error) { return workload.Adversarial(kind, n, 1) })
				start := time.Now()
				c := compile(b, in, hipac.Tree)
				built := time.Since(start)
				lookup(b, in, c)
				b.ReportMetric(built.Seconds(), "build-s")
				worst := c.Stats().Worst
				b.ReportMetric(float64(worst.Words), "worst-words")
			})
		}
	}
}

func BenchmarkLookupBatch(b *testing.B) {
	eachSet(b, []int{1000, 10000, 100000, 1000000}, func(b *testing.B, in *input) {
		c := compile(b, in, hipac.Tree)
		const batch = 64
		step := batch * in.list.Schema().KeyLen()
		words := in.keys.Words()
		out := make([]int32, batch)
		at := 0
		for b.Loop() {
			c.LookupBatch(words[at:at+step], out)
			if at += step; at+step > len(words) {
				at = 0
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/packet")
	})
}

// BenchmarkIndex and BenchmarkLinear measure the other engines.
func BenchmarkIndex(b *testing.B) {
	eachSet(b, []int{1000, 10000}, func(b *testing.B, in *input) { lookup(b, in, compile(b, in, hipac.Index)) })
}

func BenchmarkLinear(b *testing.B) {
	eachSet(b, []int{1000, 10000}, func(b *testing.B, in *input) {
		i := 0
		for b.Loop() {
			in.list.First(in.keys.At(i))
			i = (i + 1) % in.keys.Len()
		}
	})
}

// BenchmarkBuild measures compiling, from rules in memory to the first lookup.
func BenchmarkBuild(b *testing.B) {
	eachSet(b, []int{1000, 10000, 100000, 1000000}, func(b *testing.B, in *input) {
		for b.Loop() {
			compile(b, in, hipac.Tree)
		}
	})
}

// BenchmarkLiveEdit measures one edit of a live list, a delete or the insert that
// brings the rule back to its place, each in a transaction of its own and with
// the lookup of a packet after it.
func BenchmarkLiveEdit(b *testing.B) {
	eachSet(b, []int{1000, 10000, 100000, 1000000}, func(b *testing.B, in *input) {
		live, err := hipac.NewLive(context.Background(), in.list, nil)
		if err != nil {
			b.Fatal(err)
		}
		r := rand.New(rand.NewPCG(3, 0))
		out, at := -1, 0 // the position of the rule that is deleted
		for b.Loop() {
			tx := live.Begin()
			if out < 0 {
				out = r.IntN(in.list.Len())
				err = tx.Delete(in.list.At(out).ID)
			} else {
				_, err = tx.InsertAt(out, *in.list.At(out))
				out = -1
			}
			if err == nil {
				err = tx.Commit(context.Background())
			}
			if err != nil {
				b.Fatal(err)
			}
			live.Lookup(in.keys.At(at))
			if at++; at == in.keys.Len() {
				at = 0
			}
		}
	})
}

// BenchmarkLiveLookup measures lookups in a live list: without a reader, with one
// that does not count, and with one that counts.
func BenchmarkLiveLookup(b *testing.B) {
	eachSet(b, []int{1000, 10000, 100000}, func(b *testing.B, in *input) {
		for _, counters := range []bool{false, true} {
			live, err := hipac.NewLive(context.Background(), in.list, &hipac.LiveOptions{Counters: counters})
			if err != nil {
				b.Fatal(err)
			}
			run := func(name string, look func(k rules.Key)) {
				b.Run(name, func(b *testing.B) {
					at := 0
					for b.Loop() {
						look(in.keys.At(at))
						if at++; at == in.keys.Len() {
							at = 0
						}
					}
				})
			}
			reader := live.Reader()
			if !counters {
				run("reader=no", func(k rules.Key) { live.Lookup(k) })
				run("counters=off", func(k rules.Key) { reader.Lookup(k, 100) })
			} else {
				run("counters=on", func(k rules.Key) { reader.Lookup(k, 100) })
			}
			reader.Close()
		}
	})
}
