// Counts the messages and the pressed buttons of each chat in the session. It answers
// in the outermost middleware: Telegraf puts answerCbQuery into the response to the
// webhook and so ends it, which must not be before the session is written.
import telegraf from "telegraf";
import { listen, read, remove, write } from "./service.js";

const bot = new telegraf.Telegraf(process.env.BOT_TOKEN, { telegram: { apiRoot: process.env.BOT_API_URL } });

bot.use(async (ctx, next) => {
  await next();
  if (ctx.callbackQuery) await ctx.answerCbQuery(ctx.state.answer);
  else await ctx.reply(ctx.state.answer);
});
bot.use(telegraf.session({ defaultSession: () => ({ count: 0 }), store: { get: read, set: write, delete: remove } }));
bot.use((ctx) => {
  ctx.session.count += 1;
  ctx.state.answer = String(ctx.session.count);
});

listen(bot.webhookCallback("/", { secretToken: process.env.WEBHOOK_SECRET }));
