// Package simctl is what tests need of the simulated Telegram and the simulated Telegram
// does not: rules that decide which calls fail, a load of conversations, and the report
// that adds up what each chat was answered.
package simctl
