package workload

// Prefix lengths: the joint distribution of source and destination lengths of
// a pair of port classes, smoothed.

// lengthTable draws pairs of lengths.
type lengthTable struct {
	cells [][2]uint8 // by ascending total length
	pick  table
}

// tabulate returns the table of the cells, smoothed.
func tabulate(cells []cell, smoothness int) (t lengthTable) {
	var joint [33][33]float64
	k := newKernel(smoothness)
	for _, c := range cells {
		k.spread(&joint, c)
	}
	for total := range 65 {
		for i := max(0, total-32); i <= min(32, total); i++ {
			if w := joint[i][total-i]; w > 0 {
				t.cells = append(t.cells, [2]uint8{uint8(i), uint8(total - i)})
				t.pick.add(w)
			}
		}
	}
	return t
}

// kernel moves pairs of lengths. Their sum moves by -reach to reach bits,
// binomially, among the sums that there are; what moves is split between the
// two binomially again, so that neither moves by more than reach bits.
type kernel struct {
	reach int
	rows  [][]float64 // of Pascal's triangle, each with the sum 1
}

func newKernel(reach int) kernel {
	k := kernel{reach, [][]float64{{1}}}
	for n := 1; n <= 2*reach; n++ {
		row := make([]float64, n+1)
		for i, w := range k.rows[n-1] {
			row[i] += w / 2
			row[i+1] += w / 2
		}
		k.rows = append(k.rows, row)
	}
	return k
}

func (k kernel) spread(joint *[33][33]float64, c cell) {
	type share struct {
		src, dst int
		weight   float64
	}
	var shares []share
	total := 0.0
	for sum := -k.reach; sum <= k.reach; sum++ {
		from, whole := len(shares), 0.0
		splits := k.rows[k.reach-(sum+k.reach)%2] // of the differences of sum's parity
		for i, w := range splits {
			difference := 2*i - (len(splits) - 1)
			src, dst := c.src+(sum+difference)/2, c.dst+(sum-difference)/2
			if src >= 0 && src <= 32 && dst >= 0 && dst <= 32 {
				shares = append(shares, share{src, dst, w})
				whole += w
			}
		}
		if whole == 0 {
			continue
		}
		w := k.rows[2*k.reach][sum+k.reach]
		for i := range shares[from:] {
			shares[from+i].weight *= w / whole
		}
		total += w
	}
	for _, s := range shares {
		joint[s.src][s.dst] += float64(float64(c.weight) * float64(s.weight/total))
	}
}
