package report

// Logarithmic axes, and values as people read them.

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// axis is a logarithmic axis.
type axis struct {
	label  string
	format func(float64) string
	min    float64
	max    float64
	at     []float64 // ticks, nil for those of decades
	narrow bool      // there is room for a few labels only
}

// over sets the range so that it holds the values, with some room, at least a
// decade where the values are near one another.
func (a *axis) over(values []float64) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v > 0 {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	if lo > hi {
		lo, hi = 1, 10
	}
	if hi/lo < 4 {
		middle := math.Sqrt(lo) * math.Sqrt(hi)
		lo, hi = middle/2, middle*2
	}
	room := math.Pow(hi/lo, 0.05)
	a.min, a.max = lo/room, hi*room
}

// ticks returns the ticks: powers of ten, with 2 and 5 where there is room, and
// without labels in between.
func (a *axis) ticks() plot.ConstantTicks {
	var out plot.ConstantTicks
	add := func(v float64, label bool) {
		if v < a.min || v > a.max {
			return
		}
		t := plot.Tick{Value: v}
		if label {
			t.Label = a.format(v)
		}
		out = append(out, t)
	}
	if a.at != nil {
		for _, v := range a.at {
			add(v, true)
		}
		return out
	}
	from, to := int(math.Floor(math.Log10(a.min))), int(math.Ceil(math.Log10(a.max)))
	decades := math.Log10(a.max / a.min)
	step := max(1, int(math.Ceil(decades/9)))
	labels := 1 // a label at every so many decades
	if a.narrow && decades > 4.5 {
		labels = 2
	}
	for e := from; e <= to; e++ {
		unit := math.Pow10(e)
		if e%step != 0 {
			continue
		}
		add(unit, labels == 1 || (e-from)%labels == 0)
		if step > 1 {
			continue
		}
		for m := 2.0; m < 10; m++ {
			add(m*unit, decades < 1.7 && (m == 2 || m == 5) || decades < 0.65 && m == 3)
		}
	}
	return out
}

// apply gives the axis to an axis of a plot.
func (a *axis) apply(to *plot.Axis) {
	to.Scale = plot.LogScale{}
	to.Tick.Marker = a.ticks()
	to.Min, to.Max = a.min, a.max
	to.Label.Text = a.label
}

// digits writes a value with three digits, without an exponent.
func digits(v float64) string {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	if v < 0 {
		return "-" + digits(-v)
	}
	if v >= 1e15 || v < 1e-6 {
		return strconv.FormatFloat(v, 'e', 2, 64)
	}
	places := 2 - int(math.Floor(math.Log10(v)))
	if places <= 0 {
		unit := math.Pow10(-places)
		return strconv.FormatFloat(math.Round(v/unit)*unit, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', places, 64)
}

// trimmed is digits without zeros at the end, for ticks.
func trimmed(v float64) string {
	f, _ := strconv.ParseFloat(digits(v), 64)
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// scaled returns v in the largest of the units that it is one of at least.
func scaled(v float64, write func(float64) string, sizes []float64, units []string) string {
	i := 0
	for i+1 < len(sizes) && math.Abs(v)*1.0000001 >= sizes[i+1] {
		i++
	}
	return write(v/sizes[i]) + "\u00a0" + units[i]
}

var (
	timeSizes = []float64{1, 1e3, 1e6, 1e9}
	timeUnits = []string{"ns", "µs", "ms", "s"}
	byteSizes = []float64{1, 1e3, 1e6, 1e9} // decimal, as the ticks of axes
	byteUnits = []string{"B", "kB", "MB", "GB"}
	rateSizes = []float64{1, 1e3, 1e6, 1e9}
	rateUnits = []string{"/s", "k/s", "M/s", "G/s"}
)

func timeTick(ns float64) string { return scaled(ns, trimmed, timeSizes, timeUnits) }
func timeText(ns float64) string { return scaled(ns, digits, timeSizes, timeUnits) }
func byteText(b float64) string  { return scaled(b, digits, byteSizes, byteUnits) }
func rateTick(r float64) string  { return scaled(r, trimmed, rateSizes, rateUnits) }
func rateText(r float64) string  { return scaled(r, digits, rateSizes, rateUnits) }
func plainTick(v float64) string { return count(v) }
func coresTick(v float64) string { return trimmed(v) }

// count writes numbers of rules: 500, 1k, 100k, 1M.
func count(v float64) string {
	switch {
	case v >= 1e6:
		return trimmed(v/1e6) + "M"
	case v >= 1e3:
		return trimmed(v/1e3) + "k"
	}
	return trimmed(v)
}

// unitText writes a value of a unit of package result, times being nanoseconds.
func unitText(v float64, unit string) string {
	switch unit {
	case "ns":
		return timeText(v)
	case "bytes":
		return byteText(v)
	case "bytes/rule":
		return digits(v) + "\u00a0B/rule"
	case "ratio":
		return digits(v) + "×"
	case "":
		return digits(v)
	case "lookups/s", "edits/s":
		return rateText(v)
	}
	return digits(v) + "\u00a0" + unit
}
