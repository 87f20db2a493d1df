package main

// The findings of the command lint as SARIF, the Static Analysis Results Interchange
// Format 2.1.0 (OASIS Standard, 2020).

import (
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	Invocations []sarifInvocation `json:"invocations"`
	Results     []sarifResult     `json:"results"`
}

type sarifDriver struct {
	Name  string      `json:"name"`
	Rules []sarifRule `json:"rules"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifRule struct {
	ID      string    `json:"id"`
	Short   sarifText `json:"shortDescription"`
	Full    sarifText `json:"fullDescription"`
	Default struct {
		Level string `json:"level"`
	} `json:"defaultConfiguration"`
}

// sarifInvocation says how the run ended.
type sarifInvocation struct {
	Successful    bool                `json:"executionSuccessful"`
	Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
}

type sarifNotification struct {
	Level   string    `json:"level"`
	Message sarifText `json:"message"`
}

type sarifResult struct {
	RuleID     string          `json:"ruleId"`
	RuleIndex  int             `json:"ruleIndex"`
	Level      string          `json:"level"`
	Message    sarifText       `json:"message"`
	Locations  []sarifLocation `json:"locations,omitempty"`
	Related    []sarifLocation `json:"relatedLocations,omitempty"`
	Properties map[string]any  `json:"properties,omitempty"`
}

type sarifLocation struct {
	ID       *int           `json:"id,omitempty"`
	Physical *sarifPhysical `json:"physicalLocation,omitempty"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	Message  *sarifText     `json:"message,omitempty"`
}

type sarifPhysical struct {
	Artifact struct {
		URI string `json:"uri"`
	} `json:"artifactLocation"`
	Region *sarifRegion `json:"region,omitempty"`
}

type sarifRegion struct {
	StartLine int        `json:"startLine"`
	Snippet   *sarifText `json:"snippet,omitempty"`
}

type sarifLogical struct {
	Name string `json:"name"`
	Full string `json:"fullyQualifiedName,omitempty"`
	Kind string `json:"kind,omitempty"`
}

// sarif returns the report as a log of one run.
func (r *lintReport) sarif() *sarifLog {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "hipac"}
	for i := range lintCodes {
		c := &lintCodes[i]
		rule := sarifRule{ID: c.code, Short: sarifText{c.help}, Full: sarifText{c.more}}
		rule.Default.Level = c.severity
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, rule)
	}
	call := sarifInvocation{Successful: true}
	if r.Partial != "" {
		call.Notifications = []sarifNotification{{"warning", sarifText{"partial: " + r.Partial + "; there may be more"}}}
	}
	run.Invocations = []sarifInvocation{call}
	for i := range r.Findings {
		f := &r.Findings[i]
		out := sarifResult{RuleID: f.Code, RuleIndex: *lintCode(f.Code), Level: f.Severity, Message: sarifText{f.message()}, Properties: map[string]any{}}
		for k := range f.Rules {
			out.Locations = append(out.Locations, r.location(&f.Rules[k]))
		}
		if len(f.Rules) == 0 {
			// About a chain, or all rules: the file.
			l := r.location(&lintRule{Table: f.Table, Chain: f.Chain})
			l.Logical = nil
			if f.Chain != "" {
				l.Logical = []sarifLogical{{Name: f.Chain, Full: strings.TrimPrefix(f.Table+"/"+f.Chain, "/"), Kind: "module"}}
			}
			out.Locations = append(out.Locations, l)
		}
		for k := range f.Others {
			if f.Code == "irredundant" && k == 100 {
				break // the whole list is in JSON
			}
			l := r.location(&f.Others[k])
			l.ID = &k
			l.Message = &sarifText{f.Others[k].Text}
			if l.Message.Text == "" {
				l.Message.Text = f.Others[k].name(false)
			}
			out.Related = append(out.Related, l)
		}
		if f.Unknown {
			out.Properties["unknown"] = true
		}
		if f.packet() != "" {
			out.Properties["witness"] = f.packet()
		}
		if f.Merged != "" {
			out.Properties["merged"] = f.Merged
		}
		if len(out.Properties) == 0 {
			out.Properties = nil
		}
		run.Results = append(run.Results, out)
	}
	return &sarifLog{Schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}}
}

// message is a finding in sentences.
func (f *lintFinding) message() string {
	var b strings.Builder
	switch len(f.Rules) {
	case 0:
	case 1:
		b.WriteString("Rule " + f.Rules[0].name(false) + ": ")
	default:
		b.WriteString("Rules " + f.Rules[0].name(false) + " to " + f.Rules[len(f.Rules)-1].name(false) + ": ")
	}
	b.WriteString(f.Text + ".")
	if f.packet() != "" {
		b.WriteString(" Such as " + f.packet() + ".")
	}
	if f.Fix != "" {
		b.WriteString(" Fix: " + f.Fix + ".")
	}
	return b.String()
}

// location is where a rule is.
func (r *lintReport) location(x *lintRule) sarifLocation {
	p := &sarifPhysical{}
	p.Artifact.URI = artifact(r.linesOf)
	if x.Line > 0 {
		p.Region = &sarifRegion{StartLine: x.Line}
		if x.Text != "" {
			p.Region.Snippet = &sarifText{x.Text}
		}
	}
	full := strconv.Itoa(x.Rule)
	for _, part := range []string{x.Chain, x.Table} {
		if part != "" {
			full = part + "/" + full
		}
	}
	return sarifLocation{Physical: p, Logical: []sarifLogical{{Name: x.name(false), Full: full}}}
}

// artifact returns the URI of a file, which may be relative.
func artifact(path string) string {
	u := url.URL{Path: filepath.ToSlash(path)}
	return u.String()
}
