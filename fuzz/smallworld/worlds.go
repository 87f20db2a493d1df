package smallworld

// The worlds that there are, small ones for tests and larger ones.

import "github.com/hipac-go/classifier/rules"

// none is no condition.
var none = []*rules.Cond{nil}

// spans returns the conditions of the intervals, given by two ends each.
func spans(ends ...uint64) (out []*rules.Cond) {
	for i := 0; i < len(ends); i += 2 {
		c := rules.In(0, rules.Span(ends[i], ends[i+1]))
		out = append(out, &c)
	}
	return out
}

// intervals returns no condition and those of all intervals of a field.
func intervals(bits int) []*rules.Cond {
	var ends []uint64
	for lo := range uint64(1) << bits {
		for hi := lo; hi < 1<<bits; hi++ {
			ends = append(ends, lo, hi)
		}
	}
	return join(none, spans(ends...))
}

// sets returns the conditions of all sets of values of a field, the empty and the
// full one included, and with absent each OrAbsent too.
func sets(bits int, absent bool) (out []*rules.Cond) {
	for set := range uint64(1) << (1 << bits) {
		var points []rules.Interval
		for v := range uint64(1) << bits {
			if set>>v&1 != 0 {
				points = append(points, rules.Point(v))
			}
		}
		c := rules.In(0, points...)
		out = append(out, &c)
		if absent {
			d := c.OrAbsent()
			out = append(out, &d)
		}
	}
	return out
}

// masks returns the conditions of all values and masks of a field, and their
// negations.
func masks(bits int) (out []*rules.Cond) {
	for mask := range uint64(1) << bits {
		for want := range uint64(1) << bits {
			if want&^mask == 0 {
				c := rules.Masked(0, rules.U64(want), rules.U64(mask))
				n := c.Negate()
				out = append(out, &c, &n)
			}
		}
	}
	return out
}

func join(parts ...[]*rules.Cond) (out []*rules.Cond) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// Worlds returns worlds whose lists can all be gone through. Lists are enumerated as
// sequences of rules, the same one twice too, with no symmetry taken out: every list
// of up to so many rules of the world's conditions is there once.
//
// Worlds of two fields have every list of up to three rules of intervals over them,
// and worlds of three fields every list of up to two rules; those of three rules over
// three fields have some intervals of each (nested, overlapping, adjacent, points),
// and Whole has all of them. Worlds are of a size: those of size 0 are for tests and have 39,225
// lists, which take some ten seconds of a core; those of size 1 have 4,720,103,
// and would take about two hours, by the time that parts of them take. Sizes below
// 0 are 0, and above 1 they are 1.
func Worlds(size int) []*World {
	if size <= 0 {
		return []*World{
			newWorld("two fields of 2 bits, every interval, lists of up to 2", 2, false, false, []int{2, 2}, intervals(2), intervals(2)),
			newWorld("three fields of 2, 3 and 1 bits, few intervals, lists of up to 3", 3, false, false, []int{2, 3, 1},
				join(none, spans(1, 2)), join(none, spans(0, 3, 3, 4)), join(none, spans(0, 0, 1, 1))),
			newWorld("one field of 2 bits, every interval, terminal or not, lists of up to 3", 3, true, true, []int{2}, intervals(2)),
			newWorld("one field of 2 bits, every set of values, absent too, lists of up to 2", 2, true, true, []int{2}, sets(2, true)),
			newWorld("one field of 3 bits, every mask, lists of up to 2", 2, false, true, []int{3}, masks(3)),
		}
	}
	return []*World{
		newWorld("three fields of 2 bits, every interval, lists of up to 2", 2, false, false, []int{2, 2, 2}, intervals(2), intervals(2), intervals(2)),
		newWorld("two fields of 2 bits, every interval, lists of up to 3", 3, false, false, []int{2, 2}, intervals(2), intervals(2)),
		newWorld("one field of 3 bits, every interval, terminal or not, lists of up to 3", 3, true, true, []int{3}, intervals(3)),
		newWorld("three fields of 2, 3 and 2 bits, some intervals, terminal or not, lists of up to 3", 3, true, true, []int{2, 3, 2},
			join(none, spans(0, 1, 1, 2)), join(none, spans(0, 3, 3, 4, 4, 4)), join(none, spans(2, 3, 3, 3))),
		newWorld("one field of 2 bits, every set of values, absent too, lists of up to 3", 3, true, true, []int{2}, sets(2, true)),
		newWorld("two fields of 2 bits, every mask, lists of up to 2", 2, false, true, []int{2, 2}, masks(2), masks(2)),
	}
}
