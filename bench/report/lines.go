package report

// Plots with lines: small multiples that share their axes, with the names of the
// lines beside their ends.

import (
	"cmp"
	"math"
	"slices"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Sizes in points; 600 are 800 pixels of a screen.
const (
	fullWidth   = vg.Length(600)
	halfWidth   = fullWidth / 2 // of a panel in the page
	textSize    = vg.Length(8.5)
	titleSize   = vg.Length(10)
	labelSize   = vg.Length(8)
	labelStep   = labelSize + 1.2 // from one label to the next
	panelHeight = vg.Length(182)
	rowGap      = vg.Length(12)
	titleHeight = vg.Length(18)
	longestName = 24 // letters of a name in a plot
	// slack is for fonts wider than the one by which names are placed, where a
	// browser has none as wide.
	slack = 1.12
)

// line is a line of a plot: an engine's values, from left to right.
type line struct {
	engine string
	points plotter.XYs
	breaks []int // places in points before which a size failed
}

// linePanel is one of the multiples.
type linePanel struct {
	set   string
	title string
	lines []line
}

// lineChart is a plot of multiples, row by row; nil leaves a place empty. All
// have the same axis y, and those of a set in a row the same axis x.
type lineChart struct {
	x, y axis
	rows [][]*linePanel
	room vg.Length // for the names beside a panel; 0: as they need
	// alone is for a panel by itself, whose axis x has its range, and whose
	// height is that of its row.
	alone vg.Length
}

// pieces returns a chart for each panel, with the same places of the axes, and
// nil for a place that is empty.
func (ch *lineChart) pieces() []chart {
	var out []chart
	for _, row := range ch.rows {
		for _, panel := range row {
			if panel == nil {
				out = append(out, nil)
				continue
			}
			x := ch.x
			x.over(left(row, panel.set))
			out = append(out, &lineChart{x, ch.y, [][]*linePanel{{panel}}, ch.margin(), rowHeight(row)})
		}
	}
	return out
}

func textStyle(size vg.Length) draw.TextStyle {
	return draw.TextStyle{Color: black, Font: font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size), Handler: plot.DefaultTextHandler}
}

// emptyPlot returns a plot with the fonts and axes that all have. Titles are
// written by heading: the plot's own take part in its alignment.
func emptyPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = white
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle = textStyle(textSize)
		a.Label.TextStyle.XAlign, a.Label.TextStyle.YAlign = draw.XCenter, draw.YBottom
		a.Tick.Label = textStyle(textSize)
		a.LineStyle.Width, a.Tick.LineStyle.Width = 0.5, 0.5
		a.Tick.Length = 4
		a.Padding = 0
	}
	p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = draw.XCenter, draw.YTop
	p.Y.Tick.Label.XAlign, p.Y.Tick.Label.YAlign = draw.XRight, draw.YCenter
	return p
}

// heading writes the title of a panel above its data.
func heading(inner draw.Canvas, title string) {
	style := textStyle(titleSize)
	style.XAlign = draw.XCenter
	inner.FillText(style, vg.Point{X: inner.Center().X, Y: inner.Max.Y + 6}, title)
}

// beside writes what the axis y is, upright at the left end of a strip.
func beside(strip, inner draw.Canvas, text string) {
	style := textStyle(textSize)
	style.XAlign, style.YAlign, style.Rotation = draw.XCenter, draw.YTop, math.Pi/2
	strip.FillText(style, vg.Point{X: strip.Min.X + 2, Y: inner.Center().Y}, text)
}

// grid draws pale lines at the ticks with labels.
type grid struct{ x, y bool }

func (g grid) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	style := draw.LineStyle{Color: pale, Width: 0.5}
	for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		if g.x && !t.IsMinor() {
			c.StrokeLine2(style, tx(t.Value), c.Min.Y, tx(t.Value), c.Max.Y)
		}
	}
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		if g.y && !t.IsMinor() {
			c.StrokeLine2(style, c.Min.X, ty(t.Value), c.Max.X, ty(t.Value))
		}
	}
}

// drawn are the lines of a panel.
type drawn struct{ lines []line }

// Plot draws ours last, above the others.
func (d drawn) Plot(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	for _, mine := range []bool{false, true} {
		for _, l := range d.lines {
			s := look(l.engine)
			if (s.group == ours) != mine {
				continue
			}
			var way []vg.Point
			from := 0
			for i, xy := range l.points {
				if slices.Contains(l.breaks, i) {
					c.StrokeLines(s.line(), c.ClipLinesXY(way[from:])...)
					from = i
				}
				way = append(way, vg.Point{X: tx(xy.X), Y: ty(xy.Y)})
				if xy.Y <= p.Y.Max {
					c.DrawGlyphNoClip(glyph(s), way[i])
				}
			}
			c.StrokeLines(s.line(), c.ClipLinesXY(way[from:])...)
		}
	}
}

// line is the line of a style.
func (s style) line() draw.LineStyle {
	return draw.LineStyle{Color: s.color, Width: s.width, Dashes: s.dashes}
}

// glyph is the marker of a style.
func glyph(s style) draw.GlyphStyle {
	r := vg.Length(2.4)
	if s.width == thick {
		r = 3
	}
	return draw.GlyphStyle{Color: s.color, Radius: r, Shape: s.shape}
}

// shortened cuts a name for a plot.
func shortened(name string) string {
	if utf8.RuneCountInString(name) <= longestName {
		return name
	}
	return string([]rune(name)[:longestName-1]) + "…"
}

// margin returns the width of the names beside a panel.
func (ch *lineChart) margin() vg.Length {
	if ch.room > 0 {
		return ch.room
	}
	style, widest := textStyle(labelSize), vg.Length(0)
	for _, row := range ch.rows {
		for _, p := range row {
			if p == nil {
				continue
			}
			for _, l := range p.lines {
				widest = max(widest, style.Width(endText(p.lines, &l, ch.y.max)))
			}
		}
	}
	return widest*slack + 22
}

// rowHeight returns the height of a row: the names must fit.
func rowHeight(row []*linePanel) vg.Length {
	h := panelHeight
	for _, p := range row {
		if p != nil {
			h = max(h, vg.Length(len(p.lines))*labelStep+50)
		}
	}
	return h
}

func (ch *lineChart) size() (w, h vg.Length) {
	if ch.alone > 0 {
		return halfWidth, ch.alone
	}
	for _, row := range ch.rows {
		h += rowHeight(row) + rowGap
	}
	return fullWidth, h
}

func (ch *lineChart) draw(c draw.Canvas) {
	cols, margin := len(ch.rows[0]), ch.margin()
	top := c.Max.Y
	for _, row := range ch.rows {
		h := max(ch.alone, rowHeight(row))
		plots := make([][]*plot.Plot, 1)
		for _, panel := range row {
			if panel == nil {
				plots[0] = append(plots[0], nil)
				continue
			}
			p := emptyPlot()
			p.Add(grid{true, true}, drawn{panel.lines})
			x := ch.x
			if ch.alone == 0 {
				x.over(left(row, panel.set))
			}
			x.apply(&p.X)
			ch.y.apply(&p.Y)
			p.Y.Label.Text = ""
			plots[0] = append(plots[0], p)
		}
		strip := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{Min: vg.Point{X: c.Min.X, Y: top - h}, Max: vg.Point{X: c.Max.X, Y: top}}}
		tiles := draw.Tiles{Rows: 1, Cols: cols, PadX: margin, PadRight: margin, PadLeft: titleHeight, PadTop: titleHeight, PadBottom: 2}
		for i, canvas := range plot.Align(plots, tiles, strip)[0] {
			if p := plots[0][i]; p != nil {
				p.Draw(canvas)
				inner := p.DataCanvas(canvas)
				heading(inner, row[i].title)
				if i == 0 { // it says it for all of the row
					beside(strip, inner, ch.y.label)
				}
				names(p, inner, row[i].lines)
			}
		}
		top -= h + rowGap
	}
}

// left returns the values on the axis x of a set in a row.
func left(row []*linePanel, set string) []float64 {
	var out []float64
	for _, p := range row {
		if p == nil || p.set != set {
			continue
		}
		for _, l := range p.lines {
			for _, xy := range l.points {
				out = append(out, xy.X)
			}
		}
	}
	return out
}

// label is a name beside a panel.
type label struct {
	engine, text string
	whole        bool // the line reaches the last value of the panel
	from, y      vg.Length
}

// endText is the name of a line, and where it ends when others go on, or that it
// ends above the axis, which ends at top.
func endText(lines []line, l *line, top float64) string {
	if l.points[len(l.points)-1].Y > top {
		return shortened(l.engine) + ", above"
	}
	last, most := l.points[len(l.points)-1].X, 0.0
	for _, o := range lines {
		most = max(most, o.points[len(o.points)-1].X)
	}
	if last == most {
		return shortened(l.engine)
	}
	return shortened(l.engine) + ", to " + count(last)
}

// names writes the names of the lines to the right of a panel, each as near to
// the height of its line's end as the others let it. Nothing of it is inside of
// the axes, where it would look like data: a thin line leads from the edge to the
// name of a line that reaches it, and others have their marker beside the name
// alone.
func names(p *plot.Plot, c draw.Canvas, lines []line) {
	_, ty := p.Transforms(&c)
	var list []label
	for i := range lines {
		l := &lines[i]
		text := endText(lines, l, p.Y.Max)
		y := min(c.Max.Y, ty(l.points[len(l.points)-1].Y))
		list = append(list, label{l.engine, text, text == shortened(l.engine), y, y})
	}
	slices.SortStableFunc(list, func(a, b label) int { return cmp.Compare(a.y, b.y) })
	spread(list, c.Min.Y+labelStep/2, c.Max.Y-labelStep/2)
	style := textStyle(labelSize)
	style.YAlign = draw.YCenter
	for _, l := range list {
		s := look(l.engine)
		x := c.Max.X + 10
		if l.whole {
			c.StrokeLine2(draw.LineStyle{Color: s.color, Width: 0.4}, c.Max.X+2, l.from, x, l.y)
		}
		c.DrawGlyphNoClip(glyph(s), vg.Point{X: x + 4, Y: l.y})
		c.FillText(style, vg.Point{X: x + 10, Y: l.y + 0.8}, l.text)
	}
}

// spread moves labels, which are in the order of their heights, apart to
// labelStep: those that are too near to one another become a block around the
// middle of where they want to be, between lo and hi.
func spread(list []label, lo, hi vg.Length) {
	type block struct {
		from, to int       // labels
		sum      vg.Length // of where the first of the block would be for each
	}
	var blocks []block
	place := func(b block) vg.Length {
		n := vg.Length(b.to - b.from)
		return max(lo, min(hi-(n-1)*labelStep, b.sum/n))
	}
	for i, l := range list {
		b := block{i, i + 1, l.y}
		for len(blocks) > 0 {
			last := blocks[len(blocks)-1]
			n := vg.Length(last.to - last.from)
			if place(last)+n*labelStep <= place(b) {
				break
			}
			b = block{last.from, b.to, last.sum + b.sum - n*labelStep*vg.Length(b.to-b.from)}
			blocks = blocks[:len(blocks)-1]
		}
		blocks = append(blocks, b)
	}
	for _, b := range blocks {
		y := place(b)
		for i := b.from; i < b.to; i++ {
			list[i].y = y + vg.Length(i-b.from)*labelStep
		}
	}
}
