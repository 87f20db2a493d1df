package report

// The page.

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/hipac-go/classifier/bench/result"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pageData is what the template takes.
type pageData struct {
	Machine  result.Machine
	Memory   string
	Runs     []pageRun
	Notes    []string
	Engines  []pageEngine
	Summary  *table
	Sections []pageSection
	Gaps     *table
	Other    *table
	Command  string
}

type pageRun struct {
	Started, OS, Go, Commit string
	Commands                []string
}

type pageEngine struct {
	Swatch template.HTML
	Name   string
	Title  string
}

type pageSection struct {
	*figure
	Pictures []template.HTML
}

// page writes the page.
func page(w io.Writer, d *data, figures []*figure, o Options) error {
	p := pageData{Machine: d.runs[0].Machine, Notes: d.notes, Summary: summary(d), Gaps: gapTable(d.gaps), Other: otherTable(d), Command: o.Command}
	if p.Machine.Memory > 0 {
		p.Memory = byteText(float64(p.Machine.Memory))
	}
	for _, r := range d.runs {
		p.Runs = append(p.Runs, pageRun{r.Machine.Started, r.Machine.OS, r.Machine.Go, r.Machine.Commit, r.Commands})
	}
	titles := map[string]string{}
	for i := range d.points {
		if q := &d.points[i]; titles[q.Engine] == "" {
			titles[q.Engine] = q.Title
		}
	}
	for _, e := range ordered(distinct(d.points, engineOf)) {
		svg, err := inline(swatch(e), e, "swatch")
		if err != nil {
			return err
		}
		p.Engines = append(p.Engines, pageEngine{svg, e, titles[e]})
	}
	for _, f := range figures {
		s := pageSection{figure: f}
		if f.chart != nil {
			parts := f.chart.pieces()
			for i, part := range parts {
				name := f.Title
				if len(parts) > 1 {
					name += fmt.Sprintf(", part %d of %d", i+1, len(parts))
				}
				svg, err := inline(part, name, "plot")
				if err != nil {
					return err
				}
				s.Pictures = append(s.Pictures, svg)
			}
		}
		p.Sections = append(p.Sections, s)
	}
	return pageTemplate.Execute(w, p)
}

// inline returns a chart as an element of the page.
func inline(c chart, name, class string) (template.HTML, error) {
	svg, err := picture{c}.svg()
	if err != nil {
		return "", err
	}
	const open = "<svg "
	return template.HTML(fmt.Sprintf(`<svg role="img" aria-label="%s" class="%s" `, template.HTMLEscapeString(name), class)) +
		template.HTML(svg[len(open):]), nil
}

// swatch is a piece of an engine's line.
type swatch string

func (s swatch) size() (w, h vg.Length) { return 40, 10 }

func (s swatch) pieces() []chart { return []chart{s} }

func (s swatch) draw(c draw.Canvas) {
	l := look(string(s))
	c.StrokeLine2(draw.LineStyle{Color: l.color, Width: l.width, Dashes: l.dashes}, c.Min.X+1, 5, c.Max.X-1, 5)
	c.DrawGlyph(glyph(l), vg.Point{X: 20, Y: 5})
}

// Narrow reports whether the tables are so narrow that two of them stand side by
// side.
func (f *figure) Narrow() bool {
	return !slices.ContainsFunc(f.Tables, func(t table) bool { return len(t.Head) > 7 })
}

// Wide reports whether the table has so many columns that it takes small print.
func (t table) Wide() bool { return len(t.Head) > 8 }

// Numbers reports whether a column holds numbers, which stand at the right.
func (t table) Numbers(column int) bool {
	return column > 0 && !slices.Contains([]string{"set", "sets", "why", "engine", "fastest other", "figure"}, t.Head[column])
}
