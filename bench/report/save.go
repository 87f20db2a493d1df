package report

// A chart as SVG and as PNG.

import (
	"bytes"
	"fmt"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// chart is something drawn, of a size in points.
type chart interface {
	size() (w, h vg.Length)
	draw(c draw.Canvas)
	// pieces are its parts for a page, which can be broken between them.
	pieces() []chart
}

type picture struct{ chart }

// dotsPerInch of a PNG: 800 pixels of a width of 600 points, doubled for
// screens with small pixels.
const dotsPerInch = 192

// fonts is what SVG asks for: Arial and Helvetica are as wide as Liberation Sans,
// by whose widths text is placed.
const fonts = "font-family:'Liberation Sans',Arial,Helvetica,sans-serif"

func (p picture) svg() ([]byte, error) {
	w, h := p.size()
	canvas := vgsvg.New(w, h)
	p.paint(canvas, w, h)
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, err
	}
	text := b.String()
	at := strings.Index(text, "<svg")
	if at < 0 {
		return nil, fmt.Errorf("no picture was drawn")
	}
	text = strings.ReplaceAll(text[at:], "font-family:Liberation Sans", fonts)
	return []byte(strings.TrimRight(text, "\n") + "\n"), nil
}

func (p picture) png() ([]byte, error) {
	w, h := p.size()
	canvas := vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(dotsPerInch))
	p.paint(canvas, w, h)
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: canvas}).WriteTo(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// paint draws on white.
func (p picture) paint(canvas vg.Canvas, w, h vg.Length) {
	c := draw.Canvas{Canvas: canvas, Rectangle: vg.Rectangle{Max: vg.Point{X: w, Y: h}}}
	c.FillPolygon(white, []vg.Point{{X: 0, Y: 0}, {X: w, Y: 0}, {X: w, Y: h}, {X: 0, Y: h}})
	p.draw(c)
}
