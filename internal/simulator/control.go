package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// control is for tests that run the simulator as a process of its own. It is open to
// whoever reaches it, like the whole simulator.
//
//	GET  /_sim/replies?chat=1             the texts sent to a chat
//	GET  /_sim/calls?chat=1&method=name   executed calls; both filters may be left out
//	GET  /_sim/pending                    how many updates wait
//	GET  /_sim/idle                       answers when none does
//	POST /_sim/say    {"user":1,"name":"Ann","text":"hello"}
//	POST /_sim/push   {"type":"message","payload":{...}}
//	POST /_sim/faults [{"method":"sendMessage","rate":0.3,"status":429,"retry_after":1,"latency":"5ms"}]
//	POST /_sim/tally  {"chats":300,"texts":20,"pace":"100ms"}; answers with the report
func (t *Telegram) control(w http.ResponseWriter, r *http.Request, what string) {
	result, err := t.controlled(r, what)
	code := http.StatusOK
	if err != nil {
		code, result = http.StatusBadRequest, map[string]string{"error": err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(result) // the caller may be gone
}

func (t *Telegram) controlled(r *http.Request, what string) (any, error) {
	chat, err := strconv.ParseInt(r.FormValue("chat"), 10, 64)
	if r.FormValue("chat") != "" && err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	switch r.Method + " " + what {
	case "GET replies":
		return t.Replies(chat), nil
	case "GET calls":
		return t.Calls(Filter{Chat: chat, Method: r.FormValue("method")}), nil
	case "GET pending":
		return map[string]int{"pending": t.Pending()}, nil
	case "GET idle":
		return map[string]int{"pending": 0}, t.Idle(r.Context())
	case "POST say":
		return t.controlSay(r)
	case "POST push":
		return t.controlPush(r)
	case "POST faults":
		return t.controlFaults(r)
	case "POST tally":
		return t.controlTally(r)
	}
	return nil, fmt.Errorf("%s %q is not known here", r.Method, what)
}

func (t *Telegram) controlSay(r *http.Request) (any, error) {
	var in struct {
		User       int64
		Name, Text string
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	return t.Person(in.User, in.Name).Say(in.Text), nil
}

func (t *Telegram) controlPush(r *http.Request) (any, error) {
	var in struct {
		Type    string
		Payload json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	return map[string]int64{"update_id": t.Push(in.Type, in.Payload)}, nil
}

// ruleJSON is a Rule with its times as text.
type ruleJSON struct {
	Method                          string
	Chat                            int64
	Rate                            float64
	Skip, Times, Status             int
	RetryAfter                      int `json:"retry_after"`
	Latency, Spread, Hang, Withhold span
	HangUp                          bool `json:"hang_up"`
	LoseAnswer                      bool `json:"lose_answer"`
}

// span is a duration such as "250ms".
type span time.Duration

// UnmarshalText reads it.
func (s *span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*s = span(d)
	return err
}

func (t *Telegram) controlFaults(r *http.Request) (any, error) {
	var in []ruleJSON
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	rules := make([]Rule, 0, len(in))
	for _, j := range in {
		rules = append(rules, Rule{
			Method: j.Method, Chat: j.Chat, Rate: j.Rate, Skip: j.Skip, Times: j.Times, Spread: time.Duration(j.Spread),
			Fault: Fault{
				Latency: time.Duration(j.Latency), Hang: time.Duration(j.Hang), HangUp: j.HangUp, Status: j.Status,
				RetryAfter: j.RetryAfter, Withhold: time.Duration(j.Withhold), LoseAnswer: j.LoseAnswer,
			},
		})
	}
	t.FaultRules(rules...)
	return map[string]int{"rules": len(rules)}, nil
}

func (t *Telegram) controlTally(r *http.Request) (any, error) {
	var in struct {
		First        int64
		Chats, Texts int
		Pace, Settle span
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, err
	}
	report, err := t.Tally(r.Context(), TallyConfig{First: in.First, Chats: in.Chats, Texts: in.Texts, Pace: time.Duration(in.Pace), Settle: time.Duration(in.Settle)})
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, report)
	}
	return report, nil
}
