package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	_ "github.com/ncruces/go-sqlite3/driver" // SQLite for database/sql, in Go
)

// The update's id makes a second row for the same update impossible.
const schema = `CREATE TABLE IF NOT EXISTS orders (
	number INTEGER PRIMARY KEY, bot INTEGER, update_id INTEGER, chat INTEGER, item TEXT, UNIQUE (bot, update_id))`

// order is something that somebody bought.
type order struct {
	Number int64  `json:"number"`
	Bot    int64  `json:"bot"`
	Update int    `json:"update"`
	Chat   int64  `json:"chat"`
	Item   string `json:"item"`
}

// orders are the rows of the database. Safe for concurrent use.
type orders struct{ db *sql.DB }

// openDatabase opens the pool. It waits for other writers for a second, then it is busy.
func openDatabase(ctx context.Context, file string) (*sql.DB, error) {
	db, err := sql.Open("sqlite3", "file:"+file+"?_pragma=busy_timeout(1000)&_pragma=journal_mode(wal)")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(8)
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("make the table of orders: %w", err), db.Close())
	}
	return db, nil
}

// add stores an order and returns its number; of the same update, the number it has.
func (o orders) add(ctx context.Context, n order) (number int64, err error) {
	err = o.db.QueryRowContext(ctx, `INSERT INTO orders (bot, update_id, chat, item) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET item = item RETURNING number`, n.Bot, n.Update, n.Chat, n.Item).Scan(&number)
	return number, err
}

// list returns the latest orders of a chat with a bot, the newest first; of chat 0, those
// of all chats and bots.
func (o orders) list(ctx context.Context, bot, chat int64) ([]order, error) {
	rows, err := o.db.QueryContext(ctx, `SELECT number, bot, update_id, chat, item FROM orders
		WHERE ?2 = 0 OR bot = ?1 AND chat = ?2 ORDER BY number DESC LIMIT 20`, bot, chat)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err has what matters
	all := []order{}
	for rows.Next() {
		var n order
		if err := rows.Scan(&n.Number, &n.Bot, &n.Update, &n.Chat, &n.Item); err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, rows.Err()
}
