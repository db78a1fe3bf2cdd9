// Counts the messages and the pressed buttons of each chat in the session.
import { Bot, session, webhookCallback } from "grammy";
import { listen, read, remove, write } from "./service.js";

const bot = new Bot(process.env.BOT_TOKEN, { client: { apiRoot: process.env.BOT_API_URL } });

bot.use(session({ initial: () => ({ count: 0 }), storage: { read, write, delete: remove } }));
bot.on("message:text", async (ctx) => {
  ctx.session.count += 1;
  await ctx.reply(String(ctx.session.count));
});
bot.on("callback_query:data", async (ctx) => {
  ctx.session.count += 1;
  await ctx.answerCallbackQuery(String(ctx.session.count));
});

listen(webhookCallback(bot, "http", { secretToken: process.env.WEBHOOK_SECRET }));
