package exercises

// Small random lists over schemas of every sort, whose values come from small pools,
// so that equal, nested and adjacent intervals and exact corners are common.

import (
	"context"
	"fmt"

	"github.com/hipac-go/classifier/bench/workload"
	"github.com/hipac-go/classifier/fuzz/drive"
	"github.com/hipac-go/classifier/rules"
)

// schema is a schema with its name and the number of fields that rules ask for, about.
type schema struct {
	name   string
	schema *rules.Schema
	asks   float64
}

func bits(widths ...int) *rules.Schema {
	var fields []rules.Field
	for i, w := range widths {
		fields = append(fields, rules.Field{Name: fmt.Sprintf("f%d", i), Bits: w})
	}
	return rules.MustSchema(fields...)
}

var schemas = []schema{
	{"ipv4", rules.IPv4Tuple, 3},
	{"ipv6", rules.IPv6Tuple, 3},
	{"ip", rules.IPTuple, 3},
	{"firewall", rules.Firewall, 4},
	{"tiny", bits(2, 3, 2), 2},
	{"bytes", bits(8, 8), 1.6},
	{"bits", bits(1, 1, 1, 1, 1, 1, 1, 1), 4},
	{"wide", bits(128, 33, 65), 2},
	{"twelve", bits(16, 32, 8, 16, 5, 9, 32, 16, 1, 24, 16, 8), 3},
	{"long", bits(128, 127, 100, 32, 16, 128, 64, 128), 2.5},
	{"most", bits(4, 9, 14, 19, 24, 29, 5, 10, 15, 20, 25, 30, 6, 11, 16, 21, 26, 31, 7, 12, 17, 22, 27, 32, 8, 13, 18, 23, 28, 4, 9, 14), 3},
}

// randomList draws a list of a schema.
func randomList(t *drive.Trial, s *schema, n int) (*rules.List[string], error) {
	r := t.Rand
	c := workload.RandomConfig{Rules: n, Seed: r.Uint64(), Pool: 2 + r.IntN(1<<(2+r.IntN(6))),
		Constrain: min(0.97, s.asks*(0.6+r.Float64())/float64(s.schema.Len()))}
	switch r.IntN(4) {
	case 0, 1:
		c = c.Everything()
		c.Unknown = r.IntN(2) == 0
	case 2:
		c.Unions, c.Continue, c.Masks, c.Identical = r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0, true
	}
	l, err := workload.Random(s.schema, c)
	if err != nil {
		return nil, err
	}
	return thinned(t, l)
}

// size draws a number of rules: few as often as many.
func size(t *drive.Trial, most int) int {
	switch t.Rand.IntN(12) {
	case 0:
		return t.Rand.IntN(4)
	case 1, 2, 3:
		return t.Rand.IntN(24)
	case 4, 5, 6, 7:
		return t.Rand.IntN(most/2 + 1)
	}
	return t.Rand.IntN(most + 1)
}

// amounts are numbers of packets: of batches that vectors take, and others.
var amounts = []int{1, 5, 7, 8, 9, 63, 64, 65, 130, 200, 200, 200, 200}

func lists() (all []*drive.Exercise) {
	for i := range schemas {
		s := &schemas[i]
		e := &drive.Exercise{Name: "lists over " + s.name, Group: "random lists", Weight: 1.5, Run: func(ctx context.Context, t *drive.Trial) error {
			l, err := randomList(t, s, size(t, 150))
			if err != nil {
				return err
			}
			return checkList(ctx, t, l, amounts[t.Rand.IntN(len(amounts))], 99)
		}}
		if i == 0 {
			e.Points = append(structurePoints(), wayPoints()...)
		}
		all = append(all, e)
	}
	return all
}

// checkList draws packets and asks a number of ways.
func checkList[T any](ctx context.Context, t *drive.Trial, list *rules.List[T], packets, most int) error {
	l, err := numbered(list)
	if err != nil {
		return err
	}
	keys, err := keysFor(t, l, packets)
	if err != nil {
		return err
	}
	if err := reachList(ctx, t, l, keys); err != nil {
		return err
	}
	return askAll(ctx, t, l, keys, waysOf(t, most), true)
}
