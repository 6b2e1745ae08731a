// The main job: an order from nothing to shipped, by keyboard alone, with JavaScript and without.
import type { Page } from "@playwright/test";
import { alive, expect, signIn, test, unique, watch } from "./support";

const LINES = [
  ["BEV-001", "4"],
  ["BEV-003", "12"],
  ["DRY-001", "3"],
  ["DRY-004", "2"],
  ["OIL-001", "1.5"],
  ["OIL-003", "2"],
  ["DAI-001", "10"],
  ["DAI-003", "0.75"],
  ["SPI-001", "1"],
  ["PAC-001", "5000"],
];

test("ten lines are typed, placed and shipped without a mouse", async ({ page, js }) => {
  test.skip(!js, "the story without JavaScript is told below");
  await signIn(page, js, "mira", "/orders");
  const keys = page.keyboard;
  await keys.press("n");
  await expect(page.getByLabel("Customer", { exact: false }).first()).toBeFocused();
  await keys.type("alder");
  await expect(page.getByRole("option", { name: /Alder & Sons/ })).toBeVisible();
  await keys.press("Enter");
  await expect(page.locator("#f-customer")).toHaveValue("Alder & Sons Hardware");
  for (const [sku, quantity] of LINES) {
    await keys.type(sku.toLowerCase());
    await keys.press("Enter");
    await keys.type(quantity);
    await keys.press("Enter");
  }
  await expect(page.locator(".totals .grand").last()).toHaveText("680.51");
  await keys.press("ControlOrMeta+Enter");
  await expect(page).toHaveURL(/\/orders\/\d+$/);
  await expect(page.locator(".head .badge")).toHaveText("Placed");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(/^SO-\d{4}-\d{5}$/);
  await expect(page.locator(".lines tbody tr")).toHaveCount(10);
  await expect(page.locator(".totals .grand").last()).toHaveText("680.51");
  await page.getByRole("button", { name: "Ship" }).focus();
  await keys.press("Enter");
  await expect(page.locator(".head .badge")).toHaveText("Shipped");
  await expect(page.getByText("shipped this")).toBeVisible();
  await expect(page.getByText("Only a placed order can be shipped.")).toBeVisible();
});

test("an order goes its whole way without JavaScript, on spare rows", async ({ page, js }) => {
  test.skip(js, "the story with JavaScript is told above");
  await signIn(page, js, "mira", "/orders/new");
  const rows = page.locator(".grid tbody tr");
  const fill = async (row: number, sku: string, quantity: string, price = "") => {
    await rows.nth(row).getByLabel("SKU").fill(sku);
    await rows.nth(row).getByLabel("Quantity").fill(quantity);
    await rows.nth(row).getByLabel("Unit price").fill(price);
  };
  await page.locator("#f-customer").fill("Alder & Sons Hardware");
  await fill(0, "bev-001", "4");
  await fill(1, "nothing-like-it", "-1");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(rows.nth(1)).toContainText("not negative");
  await expect(page.locator("#error-summary").getByRole("link", { name: "Line 2, Quantity" })).toBeVisible();
  await expect(rows.nth(0).getByLabel("SKU")).toHaveValue("bev-001");
  await fill(1, "nothing-like-it", "1");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(rows.nth(1)).toContainText("There is no such product.");
  await fill(1, "OIL-001", "1.5", "40");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page).toHaveURL(/\/orders\/\d+$/);
  await expect(rows.nth(1).getByLabel("Unit price")).toHaveValue("40.00");
  await fill(2, "DAI-003", "2");
  await page.getByRole("button", { name: "Save and place" }).click();
  await expect(page.locator(".head .badge")).toHaveText("Placed");
  await expect(page.locator(".lines tbody tr")).toHaveCount(3);
  await page.getByRole("button", { name: "Reopen" }).click();
  await expect(page.locator(".head .badge")).toHaveText("Draft");
  await page.getByRole("button", { name: "Save and place" }).click();
  await page.getByRole("button", { name: "Ship" }).click();
  await expect(page.locator(".head .badge")).toHaveText("Shipped");
});

test("a header is saved first, and its lines on the page of the order", async ({ page, js }) => {
  const reference = unique("PO");
  await signIn(page, js, "mira", "/orders/new");
  await page.locator("#f-customer").fill("C-00003");
  await page.getByLabel("Customer's reference").fill(reference);
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page).toHaveURL(/\/orders\/\d+$/);
  await alive(page, js);
  const order = page.url();
  await expect(page.getByText("An order needs at least one line before it is placed.")).toBeVisible();
  const first = page.locator(".grid tbody tr").first();
  await first.getByLabel("SKU").fill("KIT-001");
  await first.getByLabel("Quantity").fill("2");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page.getByText("changed this")).toBeVisible();
  await expect(first.getByLabel("Unit price")).toHaveValue("64.00");
  await page.goto(`/orders?search=${encodeURIComponent(reference)}`);
  await expect(page.getByText("1–1 of 1")).toBeVisible();
  await expect(page.locator("tfoot")).toContainText("152.32");
  await page.getByRole("link", { name: /^Draft #/ }).click();
  await expect(page).toHaveURL(new RegExp(`${new URL(order).pathname}\\?`));
  await page.getByRole("link", { name: "Cancel order" }).click();
  await page.getByRole("button", { name: "Cancel the order" }).click();
  await expect(page.getByText("Say why the order is cancelled.")).toBeVisible();
  await page.getByLabel("Reason").fill("They changed their mind");
  await page.getByRole("button", { name: "Cancel the order" }).click();
  await expect(page.locator(".head .badge")).toHaveText("Cancelled");
  await expect(page.locator(".timeline")).toContainText("They changed their mind");
});

test("a draft is deleted with its lines, a placed order is not", async ({ page, js }) => {
  await signIn(page, js, "mira", "/orders/new");
  await page.locator("#f-customer").fill("C-00002");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page).toHaveURL(/\/orders\/\d+$/);
  await alive(page, js);
  const order = page.url();
  await page.getByRole("link", { name: "Delete" }).click();
  await page.getByRole("button", { name: "Delete for good" }).click();
  await expect(page).toHaveURL(/\/orders$/);
  expect((await page.goto(order))?.status()).toBe(404);
});

test("two people on one draft lose nothing", async ({ page, js, browser }) => {
  await signIn(page, js, "mira", "/orders/new");
  await page.locator("#f-customer").fill("C-00002");
  const first = page.locator(".grid tbody tr").first();
  await first.getByLabel("SKU").fill("DAI-001");
  await first.getByLabel("Quantity").fill("1");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page).toHaveURL(/\/orders\/\d+$/);
  const order = page.url();
  await page.goto(order);
  await alive(page, js);

  const other = await (await browser.newContext({ javaScriptEnabled: js })).newPage();
  const complaints: string[] = [];
  watch(other, complaints);
  await signIn(other, js, "noah", new URL(order).pathname);
  await other.locator(".grid tbody tr").first().getByLabel("Quantity").fill("7");
  await other.getByRole("button", { name: "Save draft" }).click();
  await expect(other.getByText("changed this")).toBeVisible();

  await first.getByLabel("Quantity").fill("3");
  await page.getByRole("button", { name: "Save draft" }).click();
  const notice = page.locator("#error-summary");
  await expect(notice).toContainText("Somebody else saved this meanwhile.");
  if (js) await expect(notice.getByRole("row", { name: /Line DAI-001/ })).toContainText("7 × 9.45");
  await expect(first.getByLabel("Quantity")).toHaveValue("3");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page.locator("#error-summary")).toHaveCount(0);
  await page.goto(order);
  await expect(first.getByLabel("Quantity")).toHaveValue("3");
  expect(complaints).toEqual([]);
  await other.context().close();
});

test("rows come from a spreadsheet; what cannot be read stays, marked", async ({ page, js }) => {
  test.skip(!js, "pasting into a grid is what JavaScript adds");
  await signIn(page, js, "mira", "/orders/new");
  await page.locator("#f-customer").fill("C-00002");
  await page.locator(".grid tbody tr").first().getByLabel("SKU").focus();
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.setData("text/plain", "BEV-001\t2\t\t5 %\nNOPE\t1\t9,90\nDAI-001\tmany\nOIL-001\t1,5\t40\t\nBEV-001\t3\n\n");
    document.activeElement!.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  });
  const rows = page.locator(".grid tbody tr");
  await expect(rows.nth(0)).toContainText("House blend coffee");
  await expect(rows.nth(0).locator("td.n")).toHaveText("28.31");
  await expect(rows.nth(1)).toContainText("There is no active product with this SKU.");
  await expect(rows.nth(2).getByLabel("Quantity")).toHaveAttribute("aria-invalid", "true");
  await expect(rows.nth(3).locator("td.n")).toHaveText("60.00");
  await rows.nth(4).getByRole("button", { name: "Add the quantity there" }).click();
  await expect(rows.nth(0).getByLabel("Quantity")).toHaveValue("5");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page.locator("#error-summary")).toBeVisible();
  await rows.nth(2).getByLabel("Quantity").fill("10");
  await rows.nth(1).getByRole("button", { name: "Remove this line" }).click();
  await rows.nth(0).getByLabel("SKU").focus();
  await page.keyboard.press("Alt+ArrowDown");
  await expect(rows.nth(1).getByLabel("SKU")).toHaveValue("BEV-001");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page).toHaveURL(/\/orders\/\d+$/);
  await expect(rows.nth(0).getByLabel("SKU")).toHaveValue("DAI-001");
  await expect(rows.nth(1).getByLabel("Quantity")).toHaveValue("5");
});

test("a typed price is marked, stays, and goes back to the list", async ({ page, js }) => {
  test.skip(!js, "marks follow the keyboard with JavaScript");
  await signIn(page, js, "mira", "/orders/new");
  await page.locator("#f-customer").fill("C-00002");
  const row = page.locator(".grid tbody tr").first();
  await row.getByLabel("SKU").fill("BEV-001");
  await row.getByLabel("Quantity").fill("2");
  await expect(row.getByLabel("Unit price")).toHaveAttribute("placeholder", "14.90");
  await row.getByLabel("Unit price").fill("13");
  await expect(row.locator("td.manual")).toHaveCount(1);
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page).toHaveURL(/\/orders\/\d+$/);
  await row.getByLabel("Quantity").fill("3");
  await expect(row.locator("td.n")).toHaveText("39.00");
  await row.getByLabel("Unit price").fill("");
  await expect(row.locator("td.n")).toHaveText("44.70");
  await page.keyboard.press("ControlOrMeta+s");
  await expect(row.getByLabel("Unit price")).toHaveValue("14.90");
  await expect(row.locator("td.manual")).toHaveCount(0);
});

test("the list has views, and a detail leads to its neighbours", async ({ page, js }) => {
  await signIn(page, js, "mira", "/orders/new");
  for (const city of ["C-00005", "C-00006"]) {
    await page.goto("/orders/new");
    await page.locator("#f-customer").fill(city);
    await page.getByRole("button", { name: "Save draft" }).click();
    await expect(page).toHaveURL(/\/orders\/\d+$/);
  }
  await page.goto("/orders");
  await alive(page, js);
  await page.getByRole("link", { name: /^Drafts/ }).click();
  await expect(page).toHaveURL(/status=draft/);
  await expect(page.locator(".tabs a[aria-current=page]")).toContainText("Drafts");
  await expect(page.locator("tbody tr").filter({ hasNot: page.locator(".badge.draft") })).toHaveCount(0);
  await page.getByRole("row").nth(1).getByRole("link").first().click();
  await expect(page).toHaveURL(/status=draft&at=1$/);
  // Other tests add drafts at the top meanwhile, so places shift; who comes next does not.
  const first = await page.getByRole("heading", { level: 1 }).textContent();
  await page.getByRole("link", { name: "Next in the list" }).click();
  await expect(page.getByRole("heading", { level: 1 })).not.toHaveText(first!);
  await expect(page).toHaveURL(/status=draft&at=\d+$/);
  await page.getByRole("link", { name: "Previous in the list" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(first!);
  if (!js) return;
  let asked = "";
  page.once("dialog", (dialog) => {
    asked = dialog.message();
    void dialog.dismiss();
  });
  await page.getByLabel("Customer's reference").fill("typed");
  await page.getByRole("link", { name: "Next in the list" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(first!);
  expect(asked).toContain("Leave without saving?");
});

test("a customer's page shows their orders, and what stands in the way of deleting them", async ({ page, js }) => {
  await signIn(page, js, "mira", "/orders/new");
  await page.locator("#f-customer").fill("Gasthaus zum Löwen");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(page).toHaveURL(/\/orders\/\d+$/);
  await page.goto("/customers?search=Gasthaus");
  await page.getByRole("link", { name: "Gasthaus zum Löwen" }).click();
  await expect(page.locator(".related")).toContainText(/Draft #\d+/);
  await alive(page, js);
  await page.getByRole("link", { name: "Delete" }).click();
  await expect(page.getByText("In use, so that it cannot be deleted, by:")).toBeVisible();
  await expect(page.getByRole("link", { name: /^\d+ orders$/ })).toBeVisible();
  await expect(page.getByRole("button", { name: "Delete for good" })).toHaveCount(0);
  await page.getByRole("link", { name: "Make it inactive" }).click();
  await expect(page).toHaveURL(/\/customers\/\d+\/edit$/);
});

test("a long order that is opened from the list has all its lines, and is saved with them", async ({ page, js }) => {
  test.skip(!js, "only where the browser draws the page does it draw the lines bit by bit");
  const tag = unique("L").replaceAll(" ", "-");
  const sku = (line: number) => `${tag}-${line}`;
  const csv = (name: string, rows: string[]) => ({ name, mimeType: "text/csv", buffer: Buffer.from(rows.join("\n")) });
  const lines = Array.from({ length: 150 }, (_, line) => line);
  await signIn(page, js, "mira", "/import");
  await page.getByLabel("Products", { exact: true }).setInputFiles(csv("p.csv", ["sku,name,unit,price", ...lines.map((line) => `${sku(line)},Pen,pcs,2`)]));
  await page.getByLabel("Orders", { exact: true }).setInputFiles(csv("o.csv", ["number,customer_code,status", `${tag},C-00002,draft`]));
  await page.getByLabel("Order lines", { exact: true }).setInputFiles(csv("l.csv", ["order_number,sku,quantity", ...lines.map((line) => `${tag},${sku(line)},1`)]));
  await page.getByRole("button", { name: "Upload" }).click();
  await page.getByRole("button", { name: "Check without writing" }).click();
  await page.getByRole("button", { name: "Import", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Imported" })).toBeVisible();

  await page.goto(`/orders?search=${tag}`);
  await alive(page, js);
  await page.evaluate(() => ((window as any).stays = true));
  await page.getByRole("row").nth(1).getByRole("link").first().click();
  const rows = page.locator(".grid tbody tr");
  await expect(rows).toHaveCount(155);
  expect(await page.evaluate(() => (window as any).stays)).toBe(true);
  await rows.nth(149).getByLabel("Quantity").fill("11");
  await expect(rows.nth(149).locator("td.n")).toHaveText("22.00");
  await page.keyboard.press("ControlOrMeta+s");
  await expect(page.getByText("changed this")).toBeVisible();
  await expect(rows).toHaveCount(155);
  await expect(rows.nth(149).getByLabel("Quantity")).toHaveValue("11");
  await expect(rows.nth(149).getByLabel("Quantity")).toBeFocused();
});

test("saving an order leaves whoever types where they are", async ({ page, js }) => {
  test.skip(!js, "without JavaScript every answer is a page of its own");
  await signIn(page, js, "mira", "/orders/new");
  await alive(page, js);
  const keys = page.keyboard;
  const rows = page.locator(".grid tbody tr");
  await page.locator("#f-customer").fill("Alder & Sons Hardware");
  await page.locator("#f-customer").press("Tab");
  await rows.nth(0).getByLabel("SKU").focus();
  await keys.type("bev-001");
  await keys.press("Enter");
  await keys.type("4");
  await keys.press("Enter");
  // A line that is left blank goes when the order is saved.
  await keys.press("ArrowDown");
  await keys.type("oil-001");
  await keys.press("Enter");
  await keys.type("1");
  await keys.press("ControlOrMeta+s");
  await expect(page).toHaveURL(/\/orders\/\d+$/);
  await expect(rows.nth(1).getByLabel("SKU")).toHaveValue("OIL-001");
  await expect(rows.nth(1).getByLabel("Quantity")).toBeFocused();
  await keys.press("Enter");
  await keys.type("dai-003");
  await keys.press("Enter");
  await keys.type("2");
  await keys.press("ControlOrMeta+s");
  await expect(page.getByText("changed this")).toBeVisible();
  await expect(rows.nth(2).getByLabel("Quantity")).toBeFocused();
  await expect(rows.nth(2).getByLabel("SKU")).toHaveValue("DAI-003");
  // What is folded away opens for whoever is in it.
  await page.getByText("Freight and notes").click();
  await page.getByLabel("Notes").fill("Ring twice");
  await keys.press("ControlOrMeta+s");
  await expect(page.getByText("changed this")).toHaveCount(2);
  await expect(page.getByLabel("Notes")).toBeFocused();
  await expect(page.getByLabel("Notes")).toHaveValue("Ring twice");
  await page.getByLabel("Notes").fill("Ring thrice");
  await page.getByRole("button", { name: "Save draft" }).focus();
  await keys.press("Enter");
  await expect(page.getByText("changed this")).toHaveCount(3);
  await expect(page.getByRole("button", { name: "Save draft" })).toBeFocused();
});

test("what is wrong with lines is listed, each with the way to its cell", async ({ page, js }) => {
  test.skip(!js, "the story without JavaScript tells of it above");
  await signIn(page, js, "mira", "/orders/new");
  await alive(page, js);
  const rows = page.locator(".grid tbody tr");
  await page.locator("#f-customer").fill("Alder & Sons Hardware");
  for (const [row, sku] of ["bev-001", "bev-003", "nothing-like-it"].entries()) {
    await rows.nth(row).getByLabel("SKU").fill(sku);
    await rows.nth(row).getByLabel("Quantity").fill(row === 1 ? "-1" : "1");
  }
  await page.getByRole("button", { name: "Save draft" }).click();
  const summary = page.locator("#error-summary");
  await expect(summary).toBeFocused();
  await expect(summary).not.toContainText("items[");
  await summary.getByRole("link", { name: "Line 2, Quantity" }).click();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("3");
  await expect(rows.nth(1).getByLabel("Quantity")).toHaveValue("3");
  await expect(summary.getByRole("link", { name: "Line 2, Quantity" })).toHaveCount(0);
  await expect(summary).not.toContainText("items[");
  await page.getByRole("button", { name: "Save draft" }).click();
  await expect(summary.getByRole("link", { name: "Line 3, SKU" })).toBeVisible();
  await expect(summary).toContainText("There is no such product.");
});

test("an answer that comes after saving leaves what saving found out", async ({ page, js }) => {
  test.skip(!js, "nothing is looked for while somebody types without it");
  await signIn(page, js, "mira", "/orders/new");
  await alive(page, js);
  let go = () => {};
  const saved = new Promise<void>((resolve) => (go = resolve));
  await page.route(/orders\/products\?text=nothing-like-it/, async (route) => {
    await saved;
    await route.continue();
  });
  const row = page.locator(".grid tbody tr").first();
  await page.locator("#f-customer").fill("Alder & Sons Hardware");
  await row.getByLabel("SKU").fill("nothing-like-it");
  await row.getByLabel("Quantity").fill("1");
  await page.getByRole("button", { name: "Save draft" }).click();
  const summary = page.locator("#error-summary");
  await expect(summary).toContainText("There is no such product.");
  // One was asked while it was typed, one when its cell was left.
  let answered = 0;
  page.on("requestfinished", (request) => void (answered += Number(request.url().includes("text=nothing-like-it"))));
  go();
  await expect.poll(() => answered).toBe(2);
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  await expect(summary).toContainText("There is no such product.");
  await expect(row).toContainText("There is no such product.");
});

test("what is offered for a line hangs over the lines below", async ({ page, js }) => {
  test.skip(!js, "without JavaScript nothing is offered");
  await signIn(page, js, "mira", "/orders/new");
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 900 });
    const first = page.locator(".grid tbody tr").first();
    await first.getByLabel("SKU").fill("");
    await first.getByLabel("SKU").pressSequentially("BEV");
    const offered = page.getByRole("option").nth(2);
    await expect(offered).toBeVisible();
    // On top at its middle, neither cut off by its row nor covered by the next.
    const isOnTop = await offered.evaluate((option) => {
      const { left, top, width, height } = option.getBoundingClientRect();
      return option.contains(document.elementFromPoint(left + width / 2, top + height / 2));
    });
    expect(isOnTop).toBe(true);
  }
});

test("on a phone every cell of the grid can be typed into, and nothing moves when the page comes to life", async ({ page, js, browser }) => {
  const viewport = { width: 390, height: 900 };
  await page.setViewportSize(viewport);
  await signIn(page, js, "mira", "/orders/new");
  const grid = (page: Page) => page.locator(".grid tbody tr");
  for (const label of ["SKU", "Quantity", "Unit price", "Discount, %"]) {
    const box = await grid(page).first().getByLabel(label, { exact: true }).boundingBox();
    expect(box?.width, label).toBeGreaterThan(80);
    expect((box?.x ?? 0) + (box?.width ?? 0), label).toBeLessThanOrEqual(viewport.width);
  }
  if (!js) return;
  await expect(grid(page).first().getByRole("button", { name: "Remove this line" })).toBeVisible();
  const heights = (page: Page) => grid(page).evaluateAll((rows) => rows.map((row) => row.getBoundingClientRect().height));
  const storageState = await page.context().storageState();
  const drawn = await (await browser.newContext({ javaScriptEnabled: false, viewport, storageState })).newPage();
  await drawn.goto(page.url());
  expect(await heights(page)).toEqual(await heights(drawn));
  await drawn.context().close();
});

test("another product on a stored line brings its own price, the old one brings its back", async ({ page, js }) => {
  test.skip(!js, "products are taken while typing with JavaScript");
  await signIn(page, js, "mira", "/orders/new");
  await page.locator("#f-customer").fill("C-00002");
  const row = page.locator(".grid tbody tr").first();
  const [sku, price] = [row.getByLabel("SKU"), row.getByLabel("Unit price")];
  await sku.fill("BEV-001");
  await row.getByLabel("Quantity").fill("2");
  await page.keyboard.press("ControlOrMeta+s");
  await expect(page).toHaveURL(/\/orders\/\d+$/);
  await expect(price).toHaveValue("14.90");
  await sku.fill("DAI-001");
  await sku.press("Tab");
  await expect(price).toHaveValue("");
  await expect(price).toHaveAttribute("placeholder", "9.45");
  await expect(row.locator("td.manual")).toHaveCount(0);
  await sku.fill("BEV-001");
  await sku.press("Tab");
  await expect(price).toHaveValue("14.90");
  await sku.fill("DAI-001");
  await sku.press("Tab");
  await expect(price).toHaveAttribute("placeholder", "9.45");
  // The focus is outside of the form after a button was pressed; the key still saves.
  await page.getByRole("heading", { level: 1 }).click();
  await page.keyboard.press("ControlOrMeta+s");
  await expect(price).toHaveValue("9.45");
  await expect(row.locator("td.manual")).toHaveCount(0);
});

test("a cell that the keyboard enters is typed over, as in a spreadsheet", async ({ page, js }) => {
  test.skip(!js, "the keyboard moves between cells with JavaScript");
  await signIn(page, js, "mira", "/orders/new");
  const rows = page.locator(".grid tbody tr");
  await rows.nth(0).getByLabel("Quantity").fill("4");
  await rows.nth(1).getByLabel("Quantity").fill("6");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.type("5");
  await expect(rows.nth(0).getByLabel("Quantity")).toHaveValue("5");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  await expect(rows.nth(1).getByLabel("Unit price")).toBeFocused();
  await expect(rows.nth(1).getByLabel("Quantity")).toHaveValue("6");
});

test("what is typed and not saved is not left without a question", async ({ page, js }) => {
  test.skip(!js, "only a script can ask");
  await signIn(page, js, "mira", "/customers/new");
  let asked = 0;
  let stay = true;
  page.on("dialog", (dialog) => {
    asked++;
    return stay ? dialog.dismiss() : dialog.accept();
  });
  const products = page.getByRole("navigation").getByRole("link", { name: "Products" });
  await products.click();
  await expect(page).toHaveURL(/\/products$/);
  expect(asked).toBe(0);
  for (const [path, field] of [["/customers/new", "#f-name"], ["/orders/new", ".grid tbody tr:nth-child(2) .q input"]]) {
    await page.goto(path);
    await alive(page, js);
    asked = 0;
    stay = true;
    await page.locator(field).fill("7");
    await products.click();
    expect(asked).toBe(1);
    await expect(page).toHaveURL(new RegExp(`${path}$`));
    await expect(page.locator(field)).toHaveValue("7");
    stay = false;
    await products.click();
    await expect(page).toHaveURL(/\/products$/);
    expect(asked).toBe(2);
  }
});
