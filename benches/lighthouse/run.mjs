// Lighthouse on pages of a running Kontor: `run.mjs ORIGIN COOKIE PATH…` says a JSON object a line, page by page, first as a
// desktop and then as a phone: the scores from 0 to 100, and what kept them from being 100.
import { launch } from "chrome-launcher";
import lighthouse, { desktopConfig } from "lighthouse";

const [origin, cookie, ...paths] = process.argv.slice(2);
const categories = ["performance", "accessibility", "best-practices"];
const chrome = await launch({
  chromePath: process.env.CHROME_PATH ?? "/usr/bin/chromium",
  chromeFlags: ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
try {
  for (const path of paths) {
    for (const [form, config] of [["desktop", desktopConfig], ["phone", undefined]]) {
      const flags = { port: chrome.port, onlyCategories: categories, extraHeaders: { Cookie: cookie }, logLevel: "error" };
      const { lhr } = await lighthouse(origin + path, flags, config);
      if (lhr.runtimeError || new URL(lhr.finalDisplayedUrl).pathname !== path) {
        throw new Error(`${path} led to ${lhr.finalDisplayedUrl}: ${lhr.runtimeError?.message ?? "not what was asked for"}`);
      }
      const scores = Object.fromEntries(categories.map((name) => [name, Math.round(100 * lhr.categories[name].score)]));
      const weighed = categories.flatMap((name) => lhr.categories[name].auditRefs.filter(({ weight }) => weight > 0));
      const short = weighed.map(({ id }) => lhr.audits[id]).filter(({ score }) => score !== null && score < 0.9);
      const missing = short.map(({ id, displayValue }) => (displayValue ? `${id} ${displayValue}` : id));
      console.log(JSON.stringify({ path, form, ...scores, missing }));
    }
  }
} finally {
  chrome.kill();
}
