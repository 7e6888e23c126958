// Package tap stands in for github.com/mndrix/tap-go, which Debian does not package: the part of it that
// the validation suite calls. It prints version 13 of the Test Anything Protocol on stdout, which run.py reads.
package tap

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// T is one stream of results.
type T struct {
	Writer   io.Writer
	nextTest *int
	todo     bool
}

// New returns a stream that writes to stdout.
func New() *T {
	next := 1
	return &T{Writer: os.Stdout, nextTest: &next}
}

// Todo is the same stream, for cases that may fail.
func (t *T) Todo() *T {
	return &T{Writer: t.Writer, nextTest: t.nextTest, todo: true}
}

func (t *T) print(format string, arguments ...interface{}) {
	fmt.Fprintf(t.Writer, format+"\n", arguments...)
}

// Header begins the stream. A count of 0 leaves the plan to AutoPlan.
func (t *T) Header(count int) {
	t.print("TAP version 13")
	if count > 0 {
		t.print("1..%d", count)
	}
}

// AutoPlan ends the stream: as many cases were meant as there were.
func (t *T) AutoPlan() {
	t.print("1..%d", *t.nextTest-1)
}

// Ok is a case that passes when `passed`.
func (t *T) Ok(passed bool, description string) {
	word := "ok"
	if !passed {
		word = "not ok"
	}
	mark := ""
	if t.todo {
		mark = " # TODO"
	}
	t.print("%s %d -%s %s", word, *t.nextTest, mark, strings.ReplaceAll(description, "\n", " "))
	*t.nextTest++
}

// Pass is a case that passes.
func (t *T) Pass(description string) {
	t.Ok(true, description)
}

// Fail is a case that fails.
func (t *T) Fail(description string) {
	t.Ok(false, description)
}

// Skip passes over `count` cases.
func (t *T) Skip(count int, description string) {
	for i := 0; i < count; i++ {
		t.print("ok %d # SKIP %s", *t.nextTest, description)
		*t.nextTest++
	}
}

// Diagnostic prints a comment.
func (t *T) Diagnostic(message string) {
	t.print("# %s", strings.ReplaceAll(message, "\n", "\n# "))
}

// Diagnosticf prints a formatted comment.
func (t *T) Diagnosticf(format string, arguments ...interface{}) {
	t.Diagnostic(fmt.Sprintf(format, arguments...))
}

// YAML prints details of the case before it. JSON is YAML.
func (t *T) YAML(message interface{}) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	t.print("  ---\n  %s\n  ...", text)
	return nil
}
