/** The project's mark: a barrier gate. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="7" />
      <path d="M6 10h20M8.5 15.5h15M11 10v14.5M21 10v14.5" />
    </svg>
  );
}
