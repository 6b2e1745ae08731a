// The admin area: finding, choosing, doing something to many, and what became of each; with JavaScript and without.
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";
import { alive, signIn, test, unique } from "./support";

/** Makes customers by the form, and leads to them in the admin area. */
async function customers(page: Page, js: boolean, names: string[]) {
  for (const name of names) {
    await page.goto("/customers/new");
    await alive(page, js);
    await page.locator("#f-name").fill(name);
    await page.getByRole("button", { name: "Create customer" }).click();
    await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
  }
}

async function find(page: Page, js: boolean, tag: string) {
  await page.goto("/admin/customers");
  await alive(page, js);
  const search = page.getByRole("searchbox", { name: "Search name" });
  await search.fill(tag);
  await search.press("Enter");
  await expect(page).toHaveURL(/search=/);
  await alive(page, js);
}

test("an administrator deactivates and deletes many customers, with a result for each", async ({ page, js }) => {
  const tag = unique("Bulk").replaceAll(" ", "-");
  await signIn(page, js, "ada", "/admin");
  await expect(page.getByRole("link", { name: "Customers" }).last()).toBeVisible();
  await customers(page, js, [`${tag} one`, `${tag} two`]);
  await find(page, js, tag);
  await expect(page.getByText("1–2 of 2")).toBeVisible();

  await page.getByRole("checkbox", { name: `Choose ${tag} one` }).check();
  await page.getByLabel("What to do").selectOption({ label: "Deactivate" });
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Deactivate: 1 customer" })).toBeVisible();
  await page.getByRole("button", { name: "Deactivate" }).click();
  await expect(page.getByRole("status")).toContainText("Done with all 1.");

  await find(page, js, tag);
  await page.getByLabel("Filters").getByRole("link", { name: /^no/ }).click();
  await expect(page.getByText("1–1 of 1")).toBeVisible();
  await page.getByRole("link", { name: "Take the filter Active: no away" }).click();
  await expect(page.getByText("1–2 of 2")).toBeVisible();
  await alive(page, js);

  await page.getByLabel("What to do").selectOption({ label: "Delete…" });
  await page.getByRole("checkbox", { name: /^all 2/ }).check();
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByRole("listitem").filter({ hasText: `${tag} two` })).toBeVisible();
  await page.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("status")).toContainText("Done with all 2.");
  await expect(page.getByRole("row").filter({ hasText: `${tag} one` })).toContainText("Done");
  await find(page, js, tag);
  await expect(page.getByText("No customers match.")).toBeVisible();
});

test("what is in use stays, and the question says so before", async ({ page, js }) => {
  await signIn(page, js, "ada", "/admin/products?search=BEV-001");
  const used = page.getByRole("checkbox", { name: /^Choose / }).first();
  await used.check();
  await page.getByLabel("What to do").selectOption({ label: "Delete…" });
  await page.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByText("In use, so that it cannot be deleted, by:")).toBeVisible();
  await page.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("status")).toContainText("Nothing was changed, as 1 refused.");
  await expect(page.getByRole("row").filter({ hasText: "Refused" })).toContainText("in use");
});

test("deleting an order says what goes along", async ({ page, js }) => {
  // The oldest draft, as other tests take the newest ones on.
  await signIn(page, js, "ada", "/orders?status=draft&ordering=order_date");
  await page.getByRole("row").nth(1).getByRole("link").first().click();
  await expect(page).toHaveURL(/\/orders\/\d+/);
  await alive(page, js);
  await page.getByRole("link", { name: "Delete" }).click();
  await expect(page.getByText("These go along:")).toBeVisible();
  await expect(page.getByRole("listitem").filter({ hasText: /^\d+ lines$/ })).toBeVisible();
});

test("columns are chosen, and time is told by year and month", async ({ page, js }) => {
  await signIn(page, js, "ada", "/admin/orders");
  await page.getByText("Columns", { exact: true }).click();
  const boxes = page.locator(".choose");
  const on = boxes.getByRole("checkbox", { checked: true });
  while ((await on.count()) > 0) await on.first().uncheck();
  await boxes.getByRole("checkbox", { name: "Currency" }).check();
  await boxes.getByRole("button", { name: "Show these" }).click();
  await expect(page.getByRole("columnheader")).toHaveText(["", "Record", "Currency"]);
  await alive(page, js);
  const years = page.getByLabel("Filters").getByRole("link", { name: /^20\d\d/ });
  await years.first().click();
  await expect(page).toHaveURL(/order_date__gte=/);
  await expect(page.getByLabel("Filters").getByRole("link", { name: "All" })).toBeVisible();
  await expect(page.getByRole("columnheader")).toHaveText(["", "Record", "Currency"]);
});

test("nobody else gets in", async ({ page, js }) => {
  await signIn(page, js, "mira", "/customers");
  await expect(page.getByRole("link", { name: "Admin" })).toHaveCount(0);
  const answer = await page.goto("/admin/customers");
  expect(answer?.status()).toBe(403);
});

for (const [scheme, width] of [["light", 1280], ["dark", 390]] as const) {
  test(`axe finds nothing in the admin area, ${scheme}, ${width} wide`, async ({ page, js }) => {
    test.skip(!js, "axe is a script");
    await page.emulateMedia({ colorScheme: scheme });
    await page.setViewportSize({ width, height: 900 });
    await signIn(page, js, "ada", "/admin");
    const addresses = ["/admin", "/admin/health", "/admin/customers", "/admin/orders?status=draft", "/admin/order-items", "/admin/products/act?action=delete&ids=1"];
    for (const address of addresses) {
      await page.goto(address);
      await alive(page, js);
      const found = await new AxeBuilder({ page }).analyze();
      expect(found.violations.map((violation) => `${address}: ${violation.id} ${violation.nodes[0]?.html}`)).toEqual([]);
    }
  });
}
