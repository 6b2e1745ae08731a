import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";

import { alive, expect, signIn, test, unique } from "./support";

/** A customer made by hand; leaves the browser on its page. */
async function customer(page: Page, js: boolean, name: string) {
  await page.goto("/customers/new");
  await alive(page, js);
  await page.getByLabel("Name *").first().fill(name);
  await page.getByRole("button", { name: "Create customer" }).click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
}

async function rename(page: Page, js: boolean, name: string) {
  await page.getByRole("link", { name: "Edit" }).click();
  await alive(page, js);
  await page.getByLabel("Name *").first().fill(name);
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
}

/** Axe runs as a script of the page. */
async function clean(page: Page, js: boolean) {
  if (!js) return;
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)).toEqual([]);
}

test("what was saved is undone, and done again", async ({ page, js }) => {
  const [name, other] = [unique("Before"), unique("After")];
  await signIn(page, js);
  await customer(page, js, name);
  await expect(page.locator(".over-page")).toContainText("Created.");
  await rename(page, js, other);
  const notice = page.locator(".over-page");
  await expect(notice).toContainText("Saved.");
  await notice.getByRole("button", { name: "Undo" }).click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  await expect(notice).toContainText("Undone.");
  await expect(page.getByText("undid a change of this")).toBeVisible();
  await alive(page, js);
  await notice.getByRole("button", { name: "Redo" }).click();
  await expect(page.getByRole("heading", { level: 1, name: other })).toBeVisible();
  await page.reload();
  await expect(notice).toBeHidden();
});

test("what was deleted comes back by the notice on the list", async ({ page, js }) => {
  const name = unique("Gone");
  await signIn(page, js);
  await customer(page, js, name);
  const record = page.url();
  await page.getByRole("link", { name: /Delete/ }).click();
  await page.getByRole("button", { name: "Delete for good" }).click();
  await expect(page).toHaveURL(/\/customers$/);
  const notice = page.locator(".over-page");
  await expect(notice).toContainText("Deleted.");
  await notice.getByRole("button", { name: "Undo" }).click();
  await expect(page).toHaveURL(record);
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
});

test("what something depends on is not undone, and the page says why", async ({ page, js, browser }) => {
  const name = unique("Crowded");
  await signIn(page, js);
  await customer(page, js, name);
  const other = await browser.newPage({ javaScriptEnabled: js });
  await signIn(other, js, "noah", new URL(page.url()).pathname);
  await rename(other, js, `${name} again`);
  await other.close();
  await page.locator(".over-page").getByRole("button", { name: "Undo" }).click();
  await expect(page.getByRole("alert")).toContainText("This cannot be undone.");
  await expect(page.getByRole("alert")).toContainText("was changed since");
  await expect(page.getByRole("heading", { level: 1, name: `${name} again` })).toBeVisible();
});

test("an order that was placed is a draft again", async ({ page, js }) => {
  await signIn(page, js, "mira", "/orders?status=draft");
  await page.locator("table.list tbody a.key").first().click();
  await alive(page, js);
  await page.getByRole("button", { name: "Save and place" }).click();
  await expect(page.locator(".head .badge").first()).toHaveText("Placed");
  const notice = page.locator(".over-page");
  await expect(notice).toContainText(/Placed|Saved/);
  await notice.getByRole("button", { name: "Undo" }).click();
  await expect(page.locator(".head .badge").first()).toHaveText("Draft");
});

test("a record is looked at as it was, compared and restored", async ({ page, js }) => {
  const [name, other] = [unique("First"), unique("Second")];
  await signIn(page, js);
  await customer(page, js, name);
  await rename(page, js, other);
  await page.getByRole("link", { name: "As it was" }).last().click();
  await expect(page.getByRole("heading", { name: /As it was at/ })).toBeVisible();
  await expect(page.locator(".facts")).toContainText([name]);
  await clean(page, js);
  const version = page.getByLabel("Compared with");
  await version.selectOption({ index: 1 });
  await page.getByRole("button", { name: "Show" }).click();
  await expect(page.getByRole("heading", { name: "What differs" })).toBeVisible();
  await expect(page.locator(".compared tbody tr").first()).toContainText(name);
  await expect(page.locator(".compared tbody tr").first()).toContainText(other);
  await clean(page, js);
  await page.getByLabel("Reason").fill("The old name was right");
  await page.getByRole("button", { name: /Make it as it was at/ }).click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  await expect(page.locator(".over-page")).toContainText("Restored.");
  await expect(page.getByText("The old name was right")).toBeVisible();
  await clean(page, js);
});

test("the log is filtered, opens, and leads on", async ({ page, js }) => {
  const name = unique("Logged");
  await signIn(page, js, "ada", "/customers");
  await customer(page, js, name);
  await page.getByRole("link", { name: "Log" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Log" })).toBeVisible();
  await page.getByLabel("Resource").selectOption("customers");
  await page.getByLabel("Person").fill("Ada Krug");
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(page).toHaveURL(/resource=customers/);
  const row = page.locator(".log-rows > li").first();
  await expect(row).toContainText("create customers");
  await row.locator("summary").first().click();
  await expect(row.locator(".changes")).toContainText(name);
  await clean(page, js);
  const file = page.waitForEvent("download");
  await page.getByRole("link", { name: "Export CSV" }).click();
  expect((await file).suggestedFilename()).toBe("log.csv");
  await page.goto("/admin/log?from=2020-01-01&to=2020-01-02");
  await expect(page.getByText("Nothing matches.")).toBeVisible();
});

for (const scheme of ["light", "dark"] as const) {
  test(`the pages of the history are accessible, ${scheme}`, async ({ page, js }) => {
    await page.emulateMedia({ colorScheme: scheme });
    await signIn(page, js, "ada", "/admin/log");
    await page.locator(".log-rows summary").first().click();
    await clean(page, js);
    await page.goto("/orders/1/history");
    await expect(page.getByText("Choose a moment")).toBeVisible();
    await clean(page, js);
    await page.getByRole("link", { name: "As it was" }).last().click();
    await expect(page.getByRole("heading", { name: /As it was at/ })).toBeVisible();
    await clean(page, js);
  });
}
