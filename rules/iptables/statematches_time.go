package iptables

// The match time: dates, times of day, days of weeks and months.

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/hipac-go/classifier/rules"
	"github.com/hipac-go/classifier/rules/xt"
)

var timeMatch = module{kind: "match", name: "time", summary: "date, time of day, day of the week or month", class: Stateful,
	modelled: true, supply: []string{"a clock"}, finish: finishTime, options: []option{
		{name: "timestart", words: 1, parse: parseTimeOfDay, help: "from this time of day", form: timeForm},
		{name: "timestop", words: 1, parse: parseTimeOfDay, help: "to this time of day, included; before --timestart: on the next day", form: timeForm},
		{name: "monthdays", words: 1, not: true, parse: parseMonthdays, help: "days of the month", form: Form{Kind: "list", Syntax: "DAY[,DAY...]", Min: 1, Max: 31}},
		{name: "weekdays", words: 1, not: true, parse: parseWeekdays, help: "days of the week, or 1 (Monday) to 7", form: Form{Kind: "set", Syntax: "DAY[,DAY...]", Symbols: weekdays}},
		{name: "datestart", words: 1, parse: parseDate, help: "from this date", form: dateForm},
		{name: "datestop", words: 1, parse: parseDate, help: "to this date, included", form: dateForm},
		{name: "kerneltz", aliases: []string{"localtz"}, parse: noValue, help: "times are in the kernel's time zone"},
		{name: "utc", excludes: []string{"kerneltz"}, parse: noValue, help: "times are UTC (the default)"},
		{name: "contiguous", notes: []string{"needs --timestop before --timestart"}, parse: noValue, help: "a time behind midnight belongs to the day before"},
	}}

var (
	timeForm = Form{Kind: "time", Syntax: "hh:mm[:ss]"}
	dateForm = Form{Kind: "time", Syntax: "YYYY[-MM[-DD[Thh[:mm[:ss]]]]]"}
)

var weekdays = []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}

const (
	allWeekdays  = 0xfe
	allMonthdays = 0xfffffffe
	lastDate     = math.MaxInt32 // when --datestop is not given
	dateLayout   = "2006-01-02T15:04:05"
)

func (m *instance) timeRule() *xt.TimeRule {
	if m.data == nil {
		m.data = &xt.TimeRule{To: lastDate, DayTo: xt.Day - 1, Weekdays: allWeekdays, Monthdays: allMonthdays}
	}
	return m.data.(*xt.TimeRule)
}

// decimals reads numbers between the given separators; those from the one that
// is missing on stay as they are.
func decimals(s, separators string, into ...*uint64) error {
	for i, p := range into {
		part := s
		at := -1
		if i < len(separators) {
			if at = strings.IndexByte(s, separators[i]); at >= 0 {
				part, s = s[:at], s[at+1:]
			}
		}
		n, err := parseDecimal(part)
		if err != nil {
			return err
		}
		if *p = n; at < 0 {
			return nil
		}
	}
	return nil
}

func parseTimeOfDay(a *argument) error {
	h, m, s := uint64(0), uint64(math.MaxUint64), uint64(0)
	if err := decimals(a.vals[0].text, "::", &h, &m, &s); err != nil || h > 23 || m > 59 || s > 59 {
		return fmt.Errorf("not a time as hh:mm or hh:mm:ss, up to 23:59:59")
	}
	second := uint32(h*60*60 + m*60 + s)
	if r := a.m.timeRule(); a.opt.name == "timestart" {
		r.DayFrom = second
	} else {
		r.DayTo = second
	}
	a.p.scratch = appendTimeOfDay(a.p.scratch, second)
	return nil
}

func appendTimeOfDay(b []byte, s uint32) []byte {
	return fmt.Appendf(b, "%02d:%02d:%02d", s/3600, s/60%60, s%60)
}

func parseDate(a *argument) error {
	year, month, day, h, m, s := uint64(0), uint64(1), uint64(1), uint64(0), uint64(0), uint64(0)
	err := decimals(a.vals[0].text, "--T::", &year, &month, &day, &h, &m, &s)
	if err != nil || year < 1970 || year > 2038 || month < 1 || month > 12 || day < 1 || day > 31 || h > 23 || m > 59 || s > 59 {
		return fmt.Errorf("not a date as YYYY[-MM[-DD[Thh[:mm[:ss]]]]], 1970 to 2038")
	}
	// A 31st of February is some day in March, as mktime(3) has it.
	at := uint32(time.Date(int(year), time.Month(month), int(day), int(h), int(m), int(s), 0, time.UTC).Unix())
	if r := a.m.timeRule(); a.opt.name == "datestart" {
		r.From = at
	} else {
		r.To = at
	}
	a.write(time.Unix(int64(at), 0).UTC().Format(dateLayout))
	return nil
}

func parseMonthdays(a *argument) error {
	mask := uint32(0)
	for _, part := range strings.Split(strings.TrimSuffix(a.vals[0].text, ","), ",") {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || n == 0 || n > 31 {
			return fmt.Errorf("%q is not a day in 1..31", rules.Excerpt(part))
		}
		mask |= 1 << n
	}
	if a.not {
		mask ^= allMonthdays
	}
	a.m.timeRule().Monthdays = mask
	a.p.scratch = appendMonthdays(a.p.scratch, mask)
	return nil
}

func appendMonthdays(b []byte, mask uint32) []byte {
	from := len(b)
	for i := range 32 {
		if mask>>i&1 != 0 {
			if len(b) > from {
				b = append(b, ',')
			}
			b = appendNumber(b, uint64(i))
		}
	}
	return b
}

func parseWeekdays(a *argument) error {
	mask := uint8(0)
next:
	for _, part := range strings.Split(strings.TrimSuffix(a.vals[0].text, ","), ",") {
		if n, err := parseNumber(part, 7); err == nil && n > 0 {
			mask |= 1 << n
			continue
		}
		for i, name := range weekdays {
			if len(part) >= 2 && part[:2] == name[:2] { // two letters tell them apart, and the rest does not matter
				mask |= 2 << i
				continue next
			}
		}
		return fmt.Errorf("%q is not %s or 1 (Monday) to 7", rules.Excerpt(part), strings.Join(weekdays, ", "))
	}
	if a.not {
		mask ^= allWeekdays
	}
	a.m.timeRule().Weekdays = mask
	a.p.scratch = appendWeekdays(a.p.scratch, mask)
	return nil
}

func appendWeekdays(b []byte, mask uint8) []byte {
	from := len(b)
	for i, name := range weekdays {
		if mask>>(i+1)&1 != 0 {
			if len(b) > from {
				b = append(b, ',')
			}
			b = append(b, name...)
		}
	}
	return b
}

func finishTime(p *ruleParser, m *instance) error {
	r := *m.timeRule()
	r.KernelZone, r.Contiguous = m.has("kerneltz"), m.has("contiguous")
	if r.Contiguous && r.DayFrom < r.DayTo {
		return fmt.Errorf("--contiguous needs a --timestop before --timestart")
	}
	m.addTest(r.Test())

	m.printAll("")
	add := func(yes bool, format string, args ...any) {
		if yes {
			m.extra = fmt.Appendf(m.extra, format, args...)
		}
	}
	add(r.DayFrom != 0 || r.DayTo != xt.Day-1, " --timestart %s --timestop %s", appendTimeOfDay(nil, r.DayFrom), appendTimeOfDay(nil, r.DayTo))
	// No day at all is printed as not any day.
	add(r.Monthdays == 0, " ! --monthdays %s", appendMonthdays(nil, allMonthdays))
	add(r.Monthdays != 0 && r.Monthdays != allMonthdays, " --monthdays %s", appendMonthdays(nil, r.Monthdays))
	add(r.Weekdays == 0, " ! --weekdays %s", appendWeekdays(nil, allWeekdays))
	add(r.Weekdays != 0 && r.Weekdays != allWeekdays, " --weekdays %s", appendWeekdays(nil, r.Weekdays))
	date := func(x uint32) string { return time.Unix(int64(x), 0).UTC().Format(dateLayout) }
	add(r.From != 0, " --datestart %s", date(r.From))
	add(true, " --datestop %s", date(r.To))
	add(r.KernelZone, " --kerneltz")
	add(r.Contiguous, " --contiguous")
	return nil
}
