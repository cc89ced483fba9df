<?php

$rest = '';
$request = curl_init('https://parley.example/api/v1/chatbots/CHATBOT_ID/chat');
curl_setopt_array($request, [
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => [
        'Authorization: Bearer ' . getenv('PARLEY_API_KEY'),
        'Content-Type: application/json',
    ],
    CURLOPT_POSTFIELDS => json_encode(['message' => 'Hello there', 'stream' => true]),
    CURLOPT_WRITEFUNCTION => function ($request, $piece) use (&$rest) {
        $lines = explode("\n", $rest . $piece);
        $rest = array_pop($lines);
        foreach ($lines as $line) {
            if (!str_starts_with($line, 'data: {')) {
                continue;
            }
            $event = json_decode(substr($line, strlen('data: ')), true);
            if ($event['type'] === 'message.delta') {
                echo $event['delta'];
            } elseif ($event['type'] === 'error') {
                throw new RuntimeException($event['error']);
            }
        }
        return strlen($piece);
    },
]);
curl_exec($request);
