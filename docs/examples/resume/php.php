<?php

$rest = '';
$request = curl_init('https://parley.example/api/v1/chatbots/CHATBOT_ID/turns/TURN_ID/stream');
curl_setopt_array($request, [
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => [
        'Authorization: Bearer ' . getenv('PARLEY_API_KEY'),
        'Last-Event-ID: 2',
    ],
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
