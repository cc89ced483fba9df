// An integrator's program, type-checked against types generated from the OpenAPI document.
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/parley.js";

const client = createClient<paths>({
  baseUrl: "https://parley.example.com",
  headers: { Authorization: "Bearer sk-workspace_…" },
});

export async function sendMessage(chatbotId: string, message: string): Promise<string> {
  const { data, error } = await client.POST("/api/v1/chatbots/{chatbotId}/chat", {
    params: { path: { chatbotId }, header: { "Idempotency-Key": "order-4711" } },
    body: { message, stream: false },
    parseAs: "json",
  });
  if (error !== undefined) {
    if (error.code === "RATE_LIMIT_EXCEEDED") return `wait ${error.retryAfter} s`;
    return error.code;
  }
  const answer = data as components["schemas"]["ChatAnswer"];
  return answer.data.response;
}

export async function emails(chatbotId: string): Promise<(string | null)[]> {
  const { data } = await client.GET("/api/v1/chatbots/{chatbotId}/leads", {
    params: { path: { chatbotId }, query: { status: "new", limit: 100 } },
  });
  return data?.data.leads.map((lead) => lead.email) ?? [];
}

// The types reject what the document does not allow.
export const refused = () =>
  client.GET("/api/v1/leads", {
    // @ts-expect-error No lead has this status.
    params: { query: { status: "forgotten" } },
  });
