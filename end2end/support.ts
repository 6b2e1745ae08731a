import { expect, test as base, type Page } from "@playwright/test";

export { expect };

export const PASSWORD = "correct horse battery";

/** Chromium reports every refused request on the console; those a test expects are no fault of the page. */
const REFUSED = /^Failed to load resource: the server responded with a status of 4\d\d/;

/** Fails on anything the page complains about: a hydration error shows nowhere else. */
export const test = base.extend<{ quiet: void; js: boolean }>({
  js: async ({ javaScriptEnabled }, use) => use(javaScriptEnabled !== false),
  quiet: [
    async ({ page }, use) => {
      const complaints: string[] = [];
      watch(page, complaints);
      await use();
      expect(complaints).toEqual([]);
    },
    { auto: true },
  ],
});

export function watch(page: Page, complaints: string[]) {
  page.on("console", (message) => {
    const text = message.text();
    if ((message.type() === "error" || /hydrat|panicked/i.test(text)) && !REFUSED.test(text)) {
      complaints.push(`${page.url()}: ${text}`);
    }
  });
  page.on("pageerror", (error) => complaints.push(`${page.url()}: ${error.message}`));
}

/** Waits until the page is alive; without JavaScript it is as soon as it is there. */
export async function alive(page: Page, js: boolean) {
  if (js) await page.locator("html[data-hydrated]").waitFor({ state: "attached" });
}

export async function signIn(page: Page, js: boolean, person = "mira", next = "/customers") {
  await page.goto(`/sign-in?next=${encodeURIComponent(next)}`);
  await page.getByLabel("E-mail").fill(`${person}@kontor.example`);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((url) => url.pathname === new URL(next, url).pathname);
  await alive(page, js);
}

let count = 0;
export const unique = (text: string) => `${text} ${process.pid}-${Date.now().toString(36)}-${count++}`;
