package report

// Plots with a row for each engine and marks in it: percentiles, phases, or one
// value where there is one size only.

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	dotRow  = vg.Length(12.5)
	dotHead = vg.Length(48) // title and axis of a panel
	keyRow  = vg.Length(18)
)

// dotLine is a row: values of the marks of the chart, 0 for none.
type dotLine struct {
	label, engine string
	values        []float64
}

type dotPanel struct {
	title string
	lines []dotLine
}

// dotChart is panels one above the other with the same axis.
type dotChart struct {
	x      axis
	marks  []string // what the marks mean; one needs no key
	panels []dotPanel
	room   vg.Length // for the names of rows; 0: as they need
	alone  bool      // for a panel by itself, without a key
}

// pieces returns a chart for each panel, with the same places of the axes; what
// the marks mean is said by legend.
func (ch *dotChart) pieces() []chart {
	var out []chart
	x := ch.x
	x.narrow = true
	for i := range ch.panels {
		out = append(out, &dotChart{x, ch.marks, ch.panels[i : i+1], ch.margin(), true})
	}
	return out
}

// legend returns what the marks mean, nil where one needs no saying.
func (ch *dotChart) legend() []legendMark {
	var out []legendMark
	for i, m := range ch.marks {
		if len(ch.marks) > 1 {
			out = append(out, legendMark{markShapes[i%len(markShapes)], m})
		}
	}
	return out
}

// legendMark is a mark of a legend, and a chart of it alone.
type legendMark struct {
	shape draw.GlyphDrawer
	text  string
}

func (m legendMark) size() (w, h vg.Length) { return 12, 10 }

func (m legendMark) pieces() []chart { return []chart{m} }

func (m legendMark) draw(c draw.Canvas) {
	c.DrawGlyph(draw.GlyphStyle{Color: black, Radius: 3.2, Shape: m.shape}, vg.Point{X: 6, Y: 5})
}

// margin returns the width of the names of rows.
func (ch *dotChart) margin() vg.Length {
	if ch.room > 0 {
		return ch.room
	}
	style, widest := textStyle(textSize), vg.Length(0)
	for _, panel := range ch.panels {
		for _, l := range panel.lines {
			widest = max(widest, style.Width(shortened(l.label)))
		}
	}
	return widest*slack + 8
}

// markShapes are the shapes of the first, second... mark: filled, open, a bar.
var markShapes = []draw.GlyphDrawer{circle, hollow{}, bar{}, cross, triangle}

func (ch *dotChart) size() (w, h vg.Length) {
	if ch.hasKey() {
		h += keyRow
	}
	for _, p := range ch.panels {
		h += dotHead + vg.Length(len(p.lines))*dotRow + rowGap
	}
	if ch.alone {
		return halfWidth, h - rowGap
	}
	return fullWidth, h
}

func (ch *dotChart) hasKey() bool { return len(ch.marks) > 1 && !ch.alone }

// rowsOf draws the rows of a panel.
type rowsOf []dotLine

func (rows rowsOf) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	for i, r := range rows {
		s := look(r.engine)
		y := ty(float64(len(rows) - 1 - i))
		c.StrokeLine2(draw.LineStyle{Color: pale, Width: 0.5, Dashes: dotted}, c.Min.X, y, c.Max.X, y)
		var first, last vg.Length
		n := 0
		for _, v := range r.values {
			if v <= 0 {
				continue
			}
			if x := tx(v); n == 0 {
				first, last = x, x
			} else {
				first, last = min(first, x), max(last, x)
			}
			n++
		}
		if n > 1 {
			width := vg.Length(1)
			if s.group == ours {
				width = thick
			}
			c.StrokeLine2(draw.LineStyle{Color: s.color, Width: width}, first, y, last, y)
		}
		for j, v := range r.values {
			if v > 0 {
				c.DrawGlyphNoClip(draw.GlyphStyle{Color: s.color, Radius: 3.2, Shape: shapeOf(j, len(r.values), s)}, vg.Point{X: tx(v), Y: y})
			}
		}
	}
}

// shapeOf is the shape of mark j of n: the engine's own where it stands alone.
func shapeOf(j, n int, s style) draw.GlyphDrawer {
	if n == 1 {
		return s.shape
	}
	return markShapes[j%len(markShapes)]
}

func (ch *dotChart) draw(c draw.Canvas) {
	top := c.Max.Y
	if ch.hasKey() {
		ch.key(c, top-keyRow/2)
		top -= keyRow
	}
	var plots [][]*plot.Plot
	left := ch.margin()
	for _, panel := range ch.panels {
		p := emptyPlot()
		p.Add(grid{x: true}, rowsOf(panel.lines))
		ch.x.apply(&p.X)
		var at plot.ConstantTicks
		for i, l := range panel.lines {
			at = append(at, plot.Tick{Value: float64(len(panel.lines) - 1 - i), Label: shortened(l.label)})
		}
		p.Y.Tick.Marker, p.Y.Tick.Length = at, 0
		p.Y.Min, p.Y.Max = -0.5, float64(len(panel.lines))-0.5
		plots = append(plots, []*plot.Plot{p})
	}
	for i, row := range plots {
		h := dotHead + vg.Length(len(ch.panels[i].lines))*dotRow
		canvas := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: c.Min.X + 4, Y: top - h}, Max: vg.Point{X: c.Max.X - 14, Y: top - titleHeight}}}
		// The data begin at the same place in all panels.
		canvas.Min.X += max(0, left-(row[0].DataCanvas(canvas).Min.X-canvas.Min.X))
		row[0].Draw(canvas)
		heading(row[0].DataCanvas(canvas), ch.panels[i].title)
		top -= h + rowGap
	}
}

// key says what the marks mean.
func (ch *dotChart) key(c draw.Canvas, y vg.Length) {
	style := textStyle(labelSize)
	style.YAlign = draw.YCenter
	x := c.Min.X + 120
	for i, m := range ch.marks {
		c.DrawGlyph(draw.GlyphStyle{Color: black, Radius: 3.2, Shape: markShapes[i%len(markShapes)]}, vg.Point{X: x, Y: y})
		c.FillText(style, vg.Point{X: x + 8, Y: y}, m)
		x += 8 + style.Width(m) + 24
	}
}
