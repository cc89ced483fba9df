"""The stream protocol of the Vercel AI SDK."""
