package policy

// The steps that two functions share: equal ones, in the same order in both, as
// many as possible. What is shared cannot set the functions apart, which is what
// makes comparing them fast.

import "sort"

// align returns for each step of a, given by its content, the step of b that it
// is, or -1. The pairs ascend in both. The k-th step with some content in a may
// only be the k-th in b: O((n+m) log n) time.
func align(a, b []string) []int {
	where := make(map[string][]int, len(b))
	for j, s := range b {
		where[s] = append(where[s], j)
	}
	out := make([]int, len(a))
	// The longest ascending subsequence of places in b.
	var ends []int // ends[k]: the step of a at which a sequence of k+1 ends lowest
	before := make([]int, len(a))
	for i, s := range a {
		out[i], before[i] = -1, -1
		if js := where[s]; len(js) > 0 {
			out[i], where[s] = js[0], js[1:]
		}
		if out[i] < 0 {
			continue
		}
		k := sort.Search(len(ends), func(k int) bool { return out[ends[k]] >= out[i] })
		if k > 0 {
			before[i] = ends[k-1]
		}
		if k == len(ends) {
			ends = append(ends, i)
		} else {
			ends[k] = i
		}
	}
	in := make([]bool, len(a))
	if n := len(ends); n > 0 {
		for i := ends[n-1]; i >= 0; i = before[i] {
			in[i] = true
		}
	}
	for i := range out {
		if !in[i] {
			out[i] = -1
		}
	}
	return out
}
