<?php

$request = curl_init('https://parley.example/api/v1/openai/chat/completions');
curl_setopt_array($request, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => [
        'Authorization: Bearer ' . getenv('PARLEY_API_KEY'),
        'Content-Type: application/json',
    ],
    CURLOPT_POSTFIELDS => json_encode([
        'model' => 'CHATBOT_ID',
        'messages' => [['role' => 'user', 'content' => 'Hello there']],
    ]),
]);
$answer = json_decode(curl_exec($request), true);
echo $answer['choices'][0]['message']['content'], "\n";
