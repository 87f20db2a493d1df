package report

// The page.

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

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
	Method   []string
	Groups   []pageGroup
	Faint    bool // some lines are
	Summary  *shortly
	Sections []pageSection
	Gaps     []table
	Other    *table
	Command  string
}

type pageRun struct {
	Number   int // from 1
	Facts    []fact
	Commit   string
	Changed  bool
	Commands []string
}

// pageGroup is a group of engines.
type pageGroup struct {
	Name    string
	Engines []pageEngine
}

type pageEngine struct {
	Swatch template.HTML
	Name   string
	Title  string
	Many   bool
}

type pageSection struct {
	*figure
	Legend   []pageEngine
	Pictures []template.HTML // "" for a place that is empty
}

// page writes the page.
func page(w io.Writer, d *data, figures []*figure, o Options) error {
	p := pageData{Machine: d.runs[0].Machine, Notes: d.notes, Method: method(d), Summary: summary(d), Gaps: gapTables(d), Other: otherTable(d), Command: o.Command}
	if p.Machine.Memory > 0 {
		p.Memory = byteText(float64(p.Machine.Memory))
	}
	for i, r := range d.runs {
		commit, changed := commitText(r.Machine.Commit)
		p.Runs = append(p.Runs, pageRun{i + 1, runFacts(&r.Machine), commit, changed, r.Commands})
	}
	var err error
	if p.Groups, err = groupsOf(d.points); err != nil {
		return err
	}
	p.Faint = slices.ContainsFunc(d.points, func(q point) bool { return look(q.Engine).width == faint })
	for _, f := range figures {
		s := pageSection{figure: f}
		if err := s.draw(); err != nil {
			return err
		}
		p.Sections = append(p.Sections, s)
	}
	return pageTemplate.Execute(w, p)
}

// groupsOf returns the engines by their groups.
func groupsOf(points []point) ([]pageGroup, error) {
	titles := map[string]string{}
	for i := range points {
		if q := &points[i]; titles[q.Engine] == "" {
			titles[q.Engine] = q.Title
		}
	}
	var out []pageGroup
	names := ordered(distinct(points, engineOf))
	for g := range numGroups {
		one := pageGroup{Name: groupNames[g]}
		for _, e := range names {
			if look(e).group != g {
				continue
			}
			svg, err := inline(swatch(e), e, "swatch")
			if err != nil {
				return nil, err
			}
			title := titles[e]
			if title == e {
				title = ""
			}
			one.Engines = append(one.Engines, pageEngine{svg, e, title, many(e) && !strings.Contains(title, "at a time")})
		}
		if one.Engines != nil {
			out = append(out, one)
		}
	}
	return out, nil
}

// draw makes the pictures of a section, panel by panel, so that they can stand
// side by side or one below the other.
func (s *pageSection) draw() error {
	if s.chart == nil {
		return nil
	}
	parts := s.chart.pieces()
	for i, part := range parts {
		if part == nil {
			s.Pictures = append(s.Pictures, "")
			continue
		}
		name := s.Title
		if len(parts) > 1 {
			name += fmt.Sprintf(", part %d of %d", i+1, len(parts))
		}
		svg, err := inline(part, name, "plot")
		if err != nil {
			return err
		}
		s.Pictures = append(s.Pictures, svg)
	}
	if dots, ok := s.chart.(*dotChart); ok {
		for _, m := range dots.legend() {
			svg, err := inline(m, m.text, "mark")
			if err != nil {
				return err
			}
			s.Legend = append(s.Legend, pageEngine{Swatch: svg, Name: m.text})
		}
	}
	return nil
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

// wordColumns are the heads of columns of words.
var wordColumns = []string{"set", "where", "why", "engine", "command", "figure", "what is missing", "what", "ours", "typically", "best case", "worst case"}

// Numbers reports whether a column holds numbers, which stand at the right.
func (t table) Numbers(column int) bool {
	return column > 0 && !slices.Contains(wordColumns, t.Head[column])
}

// Narrow reports whether two tables of a figure have room side by side.
func (f *figure) Narrow() bool {
	return !slices.ContainsFunc(f.Tables, func(t table) bool { return len(t.Head) > 9 })
}

// Long reports whether a table is so long that it may be broken by the end of a
// sheet of paper.
func (t table) Long() bool { return len(t.Rows) > 26 }

// Words are the names in a cell of the first column, none of which is broken by
// the end of a line.
func (t table) Words(cell string) []string { return strings.Split(cell, ", ") }

// inRow is the number of panels that stand side by side.
const inRow = 2

// First are the panels that stay with the heading.
func (s pageSection) First() []template.HTML { return s.Pictures[:min(inRow, len(s.Pictures))] }

// Rest are the panels behind the first row.
func (s pageSection) Rest() []template.HTML { return s.Pictures[min(inRow, len(s.Pictures)):] }
