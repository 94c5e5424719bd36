// In place of what could not be fetched: a line that says why.
import { ApiError } from "../api/client";
import { translator } from "../text";
import { explain } from "../text/errors";

const t = translator(
  {
    forbidden:
      "Your API key may not see this. A key with the scope admin does: hearth keys create NAME --scope admin, on the machine that runs hearth.",
  },
  {
    forbidden:
      "你的 API 密钥无权查看此处。需要 admin 权限的密钥：在运行 hearth 的机器上执行 hearth keys create NAME --scope admin。",
  },
);

export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}

export function Trouble({ error }: { error: unknown }) {
  if (isForbidden(error)) return <p class="centered quiet">{t("forbidden")}</p>;
  const { headline, details } = explain(error);
  return (
    <div class="trouble" role="alert">
      <p>{headline}</p>
      {details && <p class="quiet small">{details}</p>}
    </div>
  );
}
