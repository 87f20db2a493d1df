package report

// Markers: those of gonum.org/v1/plot, and more, so that all lines of a panel
// differ in their markers, too.

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var (
	circle   = draw.CircleGlyph{} // filled
	ring     = draw.RingGlyph{}
	box      = draw.BoxGlyph{} // filled
	square   = draw.SquareGlyph{}
	pyramid  = draw.PyramidGlyph{} // filled
	triangle = draw.TriangleGlyph{}
	plus     = draw.PlusGlyph{}
	cross    = draw.CrossGlyph{}
	saltire  = boxed{}
)

type (
	diamond struct{} // filled
	lozenge struct{} // a diamond's outline
	wedge   struct{} // a triangle on its tip, filled
	funnel  struct{} // its outline
	star    struct{} // plus and cross
	boxed   struct{} // a square with a cross
	bar     struct{} // an upright line
	hollow  struct{} // a ring with white in it, for rows with a line
)

// hollowLine is the width of the line of hollow, in points.
const hollowLine = vg.Length(1)

// around returns a polygon of corners that are given in radii from a point.
func around(at vg.Point, r vg.Length, corners ...[2]vg.Length) []vg.Point {
	var out []vg.Point
	for _, c := range corners {
		out = append(out, vg.Point{X: at.X + c[0]*r, Y: at.Y + c[1]*r})
	}
	return out
}

func diamondAt(at vg.Point, r vg.Length) []vg.Point {
	return around(at, r*1.25, [2]vg.Length{0, 1}, [2]vg.Length{1, 0}, [2]vg.Length{0, -1}, [2]vg.Length{-1, 0})
}

func wedgeAt(at vg.Point, r vg.Length) []vg.Point {
	return around(at, r*1.15, [2]vg.Length{-0.87, 0.5}, [2]vg.Length{0.87, 0.5}, [2]vg.Length{0, -1})
}

// outline strokes a polygon, closed.
func outline(c *draw.Canvas, sty draw.GlyphStyle, corners []vg.Point) {
	c.StrokeLines(draw.LineStyle{Color: sty.Color, Width: 0.5}, append(corners, corners[0], corners[1]))
}

// DrawGlyph draws it.
func (diamond) DrawGlyph(c *draw.Canvas, sty draw.GlyphStyle, at vg.Point) {
	c.FillPolygon(sty.Color, diamondAt(at, sty.Radius))
}

// DrawGlyph draws it.
func (lozenge) DrawGlyph(c *draw.Canvas, sty draw.GlyphStyle, at vg.Point) {
	outline(c, sty, diamondAt(at, sty.Radius))
}

// DrawGlyph draws it.
func (wedge) DrawGlyph(c *draw.Canvas, sty draw.GlyphStyle, at vg.Point) {
	c.FillPolygon(sty.Color, wedgeAt(at, sty.Radius))
}

// DrawGlyph draws it.
func (funnel) DrawGlyph(c *draw.Canvas, sty draw.GlyphStyle, at vg.Point) {
	outline(c, sty, wedgeAt(at, sty.Radius))
}

// DrawGlyph draws it.
func (star) DrawGlyph(c *draw.Canvas, sty draw.GlyphStyle, at vg.Point) {
	plus.DrawGlyph(c, sty, at)
	cross.DrawGlyph(c, sty, at)
}

// DrawGlyph draws it.
func (boxed) DrawGlyph(c *draw.Canvas, sty draw.GlyphStyle, at vg.Point) {
	square.DrawGlyph(c, sty, at)
	cross.DrawGlyph(c, sty, at)
}

// DrawGlyph draws it.
func (bar) DrawGlyph(c *draw.Canvas, sty draw.GlyphStyle, at vg.Point) {
	c.StrokeLine2(draw.LineStyle{Color: sty.Color, Width: 2}, at.X, at.Y-sty.Radius*1.4, at.X, at.Y+sty.Radius*1.4)
}

// DrawGlyph draws it.
func (hollow) DrawGlyph(c *draw.Canvas, sty draw.GlyphStyle, at vg.Point) {
	sty.Radius += hollowLine / 2
	c.SetColor(sty.Color)
	circle.DrawGlyph(c, sty, at)
	sty.Radius -= hollowLine
	c.SetColor(white) // the glyph takes the canvas's
	circle.DrawGlyph(c, sty, at)
}
