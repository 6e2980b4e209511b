/** How much of a long test runs: so much as fits into every run, or with `KEYFOLD_TEST_FULL=1` all that a guarantee was shown with. */
export function effort(usual: number, full: number): number {
  return process.env['KEYFOLD_TEST_FULL'] === '1' ? full : usual;
}
