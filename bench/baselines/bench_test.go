package baselines

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hipac-go/classifier/bench/compare"
	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/rules"
)

// benchmarkBytes is the memory that an engine gets in benchmarks: what the figures
// of the original nf-HiPAC show it to need for some sets of 10,000 rules.
const benchmarkBytes = 1 << 30

// BenchmarkBaseline measures lookups of packets that lie in rules, in random
// order. Sets that an engine has no memory for are skipped. B/rule is its memory,
// build-s how long it took to make.
//
//	go test ./bench/baselines -run '^$' -bench 'Baseline/engine=.*/set=fw1/n=1000$'
func BenchmarkBaseline(b *testing.B) {
	type setup struct {
		list *rules.List[string]
		keys []uint32
	}
	sets := map[string]setup{}
	for _, m := range All() {
		for _, set := range []string{"acl1", "fw1", "ipc1", "fw1v6", "firewall"} {
			for _, n := range []int{1000, 10000, 100000} {
				b.Run(fmt.Sprintf("engine=%s/set=%s/n=%d", m.Name, set, n), func(b *testing.B) {
					name := fmt.Sprint(set, n)
					in, ok := sets[name]
					if !ok {
						l, err := benchmarkSet(set, n)
						if err != nil {
							b.Fatal(err)
						}
						in = setup{l, benchmarkKeys(b, l)}
						sets[name] = in
					}
					begin := time.Now()
					e, err := m.Make(context.Background(), in.list, benchmarkBytes)
					if errors.Is(err, compare.ErrMemory) || errors.Is(err, compare.ErrUnsupported) {
						b.Skip(err)
					}
					if err != nil {
						b.Fatal(err)
					}
					defer e.Close()
					built := time.Since(begin)
					w := in.list.Schema().KeyLen()
					const burst = 64
					var out [burst]int32
					keys := in.keys[:len(in.keys)/(burst*w)*burst*w]
					at := 0
					b.ResetTimer()
					for done := 0; done < b.N; done += burst {
						e.First(keys[at:at+burst*w], out[:min(burst, b.N-done)])
						if at += burst * w; at == len(keys) {
							at = 0
						}
					}
					b.ReportMetric(float64(e.Bytes())/float64(in.list.Len()), "B/rule")
					b.ReportMetric(built.Seconds(), "build-s")
				})
			}
		}
	}
}

// BenchmarkBaselineUpdate measures one update, a delete or the insert that brings
// the rule back.
func BenchmarkBaselineUpdate(b *testing.B) {
	for _, m := range All() {
		for _, set := range []string{"acl1", "fw1"} {
			for _, n := range []int{1000, 10000, 100000} {
				b.Run(fmt.Sprintf("engine=%s/set=%s/n=%d", m.Name, set, n), func(b *testing.B) {
					l, err := benchmarkSet(set, n)
					if err != nil {
						b.Fatal(err)
					}
					e, err := m.Make(context.Background(), l, benchmarkBytes)
					if errors.Is(err, compare.ErrMemory) {
						b.Skip(err)
					}
					if err != nil {
						b.Fatal(err)
					}
					u, ok := e.(compare.Updater)
					if !ok {
						b.Skip("not made for updates")
					}
					r := rand.New(rand.NewPCG(3, 0))
					b.ResetTimer()
					at := 0
					for i := range b.N {
						if i%2 == 0 {
							at = r.IntN(l.Len())
							err = u.Delete(at)
						} else {
							err = u.Insert(at)
						}
						if err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

func benchmarkSet(name string, n int) (*rules.List[string], error) {
	switch name {
	case "firewall":
		return workload.FirewallSet(workload.Config{Family: "fw1", Rules: n, Seed: 1})
	case "fw1v6":
		return workload.Generate(workload.Config{Family: "fw1", Rules: n, Seed: 1, IPv6: true})
	}
	return workload.Generate(workload.Config{Family: name, Rules: n, Seed: 1})
}

func benchmarkKeys(b *testing.B, l *rules.List[string]) []uint32 {
	keys, err := workload.Packets(l, workload.PacketConfig{N: 1 << 15, Seed: 2, Mode: workload.Uniform})
	if err != nil {
		b.Fatal(err)
	}
	w := l.Schema().KeyLen()
	words := append([]uint32(nil), keys.Words()...)
	rand.New(rand.NewPCG(1, 0)).Shuffle(keys.Len(), func(i, j int) {
		for k := range w {
			words[i*w+k], words[j*w+k] = words[j*w+k], words[i*w+k]
		}
	})
	return words
}
